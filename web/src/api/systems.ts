// Which systems run at the node, and what can be asked of them (`/systems`).

import type { Names } from "../i18n/say";
import { askJson, type Answer } from "./http";

export interface SystemInfo {
  readonly name: string;
  readonly title: Names;
  readonly endpoints: readonly { readonly method: string; readonly path: string }[];
}

/** Ask which systems run. */
export function askSystems(signal: AbortSignal): Promise<Answer<readonly SystemInfo[]>> {
  return askJson<readonly SystemInfo[]>("/systems", { signal });
}

/** Whether any system answers an operation, written as `POST /warnings/issue`. */
export function offers(systems: readonly SystemInfo[], operation: string): boolean {
  return systems.some(({ endpoints }) =>
    endpoints.some(({ method, path }) => `${method} ${path}` === operation),
  );
}
