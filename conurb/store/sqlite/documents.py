"""Documents and positions of the embedded engine: what is kept besides objects."""

from __future__ import annotations

import apsw
import orjson

from conurb.store.contract import Document, Position


def put_document(connection: apsw.Connection, document: Document) -> None:
    """Store a document; one that replaces another keeps its place in the order."""
    connection.execute(
        "INSERT INTO document (kind, id, number, body) "
        "VALUES (?1, ?2, (SELECT coalesce(max(number), 0) + 1 FROM document), ?3) "
        "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
        (document.kind, document.id, orjson.dumps(dict(document.body)).decode()),
    )


def delete_document(connection: apsw.Connection, kind: str, document_id: str) -> bool:
    """Delete a document; False when there is none."""
    connection.execute("DELETE FROM document WHERE kind = ? AND id = ?", (kind, document_id))
    return connection.changes() > 0


def find_document(connection: apsw.Connection, kind: str, document_id: str) -> Document | None:
    """Find a document; None when there is none."""
    body = connection.execute(
        "SELECT body FROM document WHERE kind = ? AND id = ?", (kind, document_id)
    ).get
    return None if body is None else Document(kind, document_id, orjson.loads(body))


def list_documents(connection: apsw.Connection, kind: str) -> list[Document]:
    """List the documents of a kind, in order of their creation."""
    rows = connection.execute(
        "SELECT id, body FROM document WHERE kind = ? ORDER BY number", (kind,)
    )
    return [Document(kind, document_id, orjson.loads(body)) for document_id, body in rows]


def put_position(connection: apsw.Connection, position: Position) -> None:
    """Store how far a reader of the journal has come."""
    connection.execute(
        "INSERT INTO position (reader, seq) VALUES (?, ?) "
        "ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq",
        (position.reader, position.seq),
    )
