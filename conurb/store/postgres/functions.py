"""SQL functions of a schema: what `conurb.model.query.match` says of nodes, targets and ranks.

A node is an attribute instance in internal form as jsonb. They serve the general predicates; the
usual comparison doesn't come here (`conditions`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from conurb.model.aggregates import MOMENT_FORMS, MOMENT_NAMES, UNORDERED_NAMES
from conurb.model.entity import VALUE_MEMBER

_MEMBERS: Final = " ".join(f"WHEN '{kind}' THEN '{name}'" for kind, name in VALUE_MEMBER.items())

FUNCTIONS: Final = rf"""
-- The value of a node, whatever its kind.
CREATE FUNCTION value_of(node jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT node -> CASE node ->> 'type' {_MEMBERS} END
$$;

-- The URIs that a relationship points to, as an array; none for another kind.
CREATE FUNCTION links_of(node jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_agg(uri) FILTER (WHERE jsonb_typeof(uri) = 'string'), '[]')
  FROM (
    SELECT CASE jsonb_typeof(item) WHEN 'object' THEN item -> 'object' ELSE item END AS uri
    FROM jsonb_array_elements(
      CASE WHEN node ->> 'type' NOT IN ('Relationship', 'ListRelationship') THEN '[]'
        WHEN jsonb_typeof(value_of(node)) = 'array' THEN value_of(node)
        ELSE jsonb_build_array(value_of(node)) END
    ) item
  ) links
$$;

-- A value as a target: its kind and its alternatives; kind null for no target.
CREATE FUNCTION plain_target(value jsonb, OUT kind text, OUT items jsonb)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF jsonb_typeof(value) = 'object' AND value ? '@value' THEN
    value := value -> '@value';
  END IF;
  IF jsonb_typeof(value) = 'array' THEN
    kind := 'list';
    items := value;
  ELSIF jsonb_typeof(value) <> 'null' THEN
    kind := 'plain';
    items := jsonb_build_array(value);
  END IF;
END
$$;

-- The value of a node as a target, with the members of a path.
CREATE FUNCTION target_of(node jsonb, members text[], OUT kind text, OUT items jsonb)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  value jsonb;
  member text;
BEGIN
  IF node ->> 'type' IN ('Relationship', 'ListRelationship') THEN
    IF members = '{{}}' THEN
      kind := 'links';
      items := links_of(node);
    END IF;
    RETURN;
  END IF;
  value := value_of(node);
  IF node ->> 'type' = 'LanguageProperty' THEN
    IF jsonb_typeof(value) = 'object' AND cardinality(members) <= 1 THEN
      SELECT jsonb_agg(item) INTO items
      FROM jsonb_each(value) said (language, texts),
        jsonb_array_elements(
          CASE jsonb_typeof(texts) WHEN 'array' THEN texts ELSE jsonb_build_array(texts) END
        ) item
      WHERE jsonb_typeof(item) = 'string'
        AND (members = '{{}}' OR members[1] = '*' OR language = members[1]);
      IF items IS NOT NULL THEN
        kind := 'texts';
      END IF;
    END IF;
    RETURN;
  END IF;
  FOREACH member IN ARRAY members LOOP
    IF jsonb_typeof(value) IS DISTINCT FROM 'object' THEN
      RETURN;
    END IF;
    value := value -> member;
  END LOOP;
  SELECT * INTO kind, items FROM plain_target(value);
END
$$;

-- The key of a date-time text, cut to the millisecond; null for another text.
CREATE FUNCTION moment_of(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN said ~
    '\A[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}([.,][0-9]{{1,9}})?Z\Z'
  THEN left(said, 19) || '.' || rpad(rtrim(substr(said, 21, 3), 'Z'), 3, '0') END
$$;

-- The text of a node that has an order: a text, or that of a typed value.
CREATE FUNCTION text_of(node jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(value_of(node)) = 'string' THEN value_of(node) #>> '{{}}'
    WHEN jsonb_typeof(value_of(node) -> '@value') = 'string' THEN value_of(node) ->> '@value' END
$$;

-- Microseconds of a fixed-width time.
CREATE FUNCTION us_of(said text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM said::timestamptz) * 1000000)::bigint
$$;

-- What a node is ordered by, as JSON; null for nothing.
CREATE FUNCTION order_value(node jsonb, members text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  value jsonb := value_of(node);
  member text;
BEGIN
  IF members <> '{{}}' AND node ->> 'type' IN ('Relationship', 'ListRelationship') THEN
    RETURN NULL;
  END IF;
  FOREACH member IN ARRAY members LOOP
    IF jsonb_typeof(value) IS DISTINCT FROM 'object' THEN
      RETURN NULL;
    END IF;
    value := value -> member;
  END LOOP;
  RETURN value;
END
$$;

-- Rank of a JSON value, and the number or the text that it is ordered by within the rank.
CREATE FUNCTION ranked(value jsonb, OUT rank int, OUT number numeric, OUT said text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  CASE jsonb_typeof(value)
    WHEN 'number' THEN
      rank := 0;
      number := value::numeric;
    WHEN 'string' THEN
      rank := 1;
      said := value #>> '{{}}';
    WHEN 'object' THEN
      rank := 2;
      IF jsonb_typeof(value -> '@value') = 'string' THEN
        rank := 5;
        said := value ->> '@value';
      END IF;
    WHEN 'array' THEN rank := 3;
    WHEN 'boolean' THEN
      rank := 4;
      number := CASE WHEN value = 'true' THEN 1 ELSE 0 END;
    ELSE rank := 9;
  END CASE;
END
$$;
"""

COLLATION: Final = """
-- Base letters in lower case, as conurb.model.query.ranking.collation_key.
CREATE FUNCTION collation_key(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT lower(
    regexp_replace(normalize(said, NFD), '[\\u0300-\\u036F]', '', 'g') COLLATE "{collation}"
  ) COLLATE "C"
$$;
"""
"""With `{collation}`: ICU's root where the server has it, which lowers every letter."""


def _texts(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


_FORM_OF: Final = " ".join(
    f"WHEN kind IN ({_texts(names)}) THEN '^(?:{MOMENT_FORMS[name]})$'"
    for name, names in MOMENT_NAMES.items()
)

AGGREGATED: Final = rf"""
-- The key of a Property that is a date, a time of day or a date-time (conurb.model.aggregates).
CREATE FUNCTION moment_key(node jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN key LIKE '%.%' THEN rtrim(rtrim(key, '0'), '.') ELSE key END
  FROM (
    SELECT replace(rtrim(said, 'Z'), ',', '.') AS key FROM (
      SELECT
        CASE WHEN typed THEN node #>> '{{value,@value}}' ELSE node ->> 'value' END AS said,
        CASE WHEN typed THEN node #>> '{{value,@type}}' ELSE node ->> 'valueType' END AS kind,
        jsonb_typeof(CASE WHEN typed THEN node #> '{{value,@value}}' ELSE node -> 'value' END)
          AS form
      FROM (SELECT jsonb_typeof(node -> 'value') = 'object' AS typed) how
    ) stated
    WHERE node ->> 'type' = 'Property' AND form = 'string' AND said ~ CASE {_FORM_OF} END
  ) keyed
$$;

-- Microseconds since midnight of a key; null for a date and a date-time.
CREATE FUNCTION time_of_day(key text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN substr(key, 3, 1) = ':' THEN
    (substr(key, 1, 2)::bigint * 3600 + substr(key, 4, 2)::bigint * 60
      + substr(key, 7, 2)::bigint) * 1000000 + rpad(substr(key, 10), 6, '0')::bigint END
$$;

-- The text of a node that is compared as one when it is aggregated.
CREATE FUNCTION plain_text(node jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN node ->> 'type' IN ('Property', 'JsonProperty')
    AND jsonb_typeof(value_of(node)) = 'string'
    AND coalesce(node ->> 'valueType', '') NOT IN ({_texts(UNORDERED_NAMES)})
  THEN value_of(node) #>> '{{}}' END
$$;
"""
