// How the nodes of the region are doing, as the region's node has seen it (`/region/health`).

import { askJson, type Answer } from "./http";

export type NodeState = "here" | "unknown" | "closed" | "open" | "half-open";

export interface NodeHealth {
  readonly node: string;
  readonly endpoint: string;
  readonly tenant: string | null;
  readonly state: NodeState;
  readonly requests: number;
  readonly failures: number;
  readonly contact_age_s: number | null;
  readonly reason: string | null;
  readonly p50_ms: number | null;
  readonly p95_ms: number | null;
}

export interface Health {
  readonly nodes: readonly NodeHealth[];
  readonly ill: number;
}

/** Ask how the nodes are doing. */
export function askHealth(signal: AbortSignal): Promise<Answer<Health>> {
  return askJson<Health>("/region/health", { signal });
}

export interface Version {
  readonly conurb: string;
  readonly node: string;
}

/** Ask which version is running. */
export function askVersion(signal: AbortSignal): Promise<Answer<Version>> {
  return askJson<Version>("/version", { signal });
}
