// One way to ask a node: abortable, bounded in time, with what went wrong said in one of few kinds, and
// with who answered and who didn't.

export const TIMEOUT_MS = 30_000;
export const CONTEXT = "https://w3id.org/conurb/contexts/conurb-v1.jsonld";
const CONTEXT_LINK = `<${CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"`;
const TOKEN = "conurb-token";

export type Failure = "offline" | "timeout" | "unauthenticated" | "absent" | "refused" | "broken";

/** Why a node gave no answer. */
export class AskError extends Error {
  constructor(
    readonly kind: Failure,
    readonly detail: string,
    readonly status: number = 0,
  ) {
    super(detail);
    this.name = "AskError";
  }
}

/** Who answered a question to a region. */
export interface Completeness {
  readonly answered: number;
  readonly asked: number;
  /** Nodes that didn't answer, with the reason. */
  readonly missing: readonly { readonly node: string; readonly reason: string }[];
  /** Nodes that a copy answered for. */
  readonly copies: readonly { readonly node: string; readonly ageS: number }[];
}

export interface Answer<T> {
  readonly body: T;
  readonly completeness: Completeness | null;
  readonly headers: Headers;
}

export interface Asking {
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string;
  /** Ask by the terms of the platform's @context (NGSI-LD). */
  readonly terms?: boolean;
  readonly timeoutMs?: number;
  /** What is sent, as JSON: then it is a POST. */
  readonly sent?: unknown;
}

/** Give the token that the reader has entered in this tab. */
export function token(): string | null {
  return sessionStorage.getItem(TOKEN);
}

/** Keep a token for this tab. */
export function keepToken(text: string): void {
  sessionStorage.setItem(TOKEN, text);
}

/** Headers that every request to the node carries. */
export function headersOf(asking: Asking): Record<string, string> {
  const headers: Record<string, string> = { Accept: asking.accept ?? "application/json" };
  if (asking.terms === true) headers["Link"] = CONTEXT_LINK;
  const given = token();
  if (given !== null) headers["Authorization"] = `Bearer ${given}`;
  if (asking.sent !== undefined) headers["Content-Type"] = "application/json";
  return headers;
}

/** Ask a node for a response; raises AskError unless it is a success. */
export async function ask(path: string, asking: Asking = {}): Promise<Response> {
  const timeout = AbortSignal.timeout(asking.timeoutMs ?? TIMEOUT_MS);
  const signal = asking.signal ? AbortSignal.any([asking.signal, timeout]) : timeout;
  const sending =
    asking.sent === undefined ? {} : { method: "POST", body: JSON.stringify(asking.sent) };
  let response: Response;
  try {
    response = await fetch(path, { headers: headersOf(asking), signal, ...sending });
  } catch (error) {
    if (asking.signal?.aborted === true) throw error;
    if (timeout.aborted) throw new AskError("timeout", "");
    throw new AskError("offline", error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw await failure(response);
  return response;
}

/** Ask a node for JSON. */
export async function askJson<T>(path: string, asking: Asking = {}): Promise<Answer<T>> {
  const response = await ask(path, asking);
  const body = (await response.json()) as T;
  return { body, completeness: completenessOf(response.headers), headers: response.headers };
}

async function failure(response: Response): Promise<AskError> {
  let detail = response.statusText;
  try {
    const problem = (await response.json()) as { detail?: string; title?: string };
    detail = problem.detail ?? problem.title ?? detail;
  } catch {
    // A proxy in between answers with something else; its status says enough.
  }
  const { status } = response;
  const kind =
    status === 401
      ? "unauthenticated"
      : status === 404
        ? "absent"
        : status < 500
          ? "refused"
          : "broken";
  return new AskError(kind, detail, status);
}

/** Read who answered; null from a single node. */
export function completenessOf(headers: Headers): Completeness | null {
  const match = /^(\d+)\/(\d+)/.exec(headers.get("conurb-completeness") ?? "");
  if (match === null) return null;
  const missing = [...(headers.get("ngsild-warning") ?? "").matchAll(/\d{3} (\S+) "([^"]*)"/g)];
  const copies = [...(headers.get("conurb-copies") ?? "").matchAll(/([^\s;,]+); age=(\d+)/g)];
  return {
    answered: Number(match[1]),
    asked: Number(match[2]),
    missing: missing.map(([, node = "", reason = ""]) => ({ node, reason })),
    copies: copies.map(([, node = "", ageS]) => ({ node, ageS: Number(ageS) })),
  };
}

/** Put a query together; what is null or empty is left out. */
export function query(parts: Readonly<Record<string, string | number | null | undefined>>): string {
  const given = Object.entries(parts).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  if (given.length === 0) return "";
  return `?${given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join("&")}`;
}
