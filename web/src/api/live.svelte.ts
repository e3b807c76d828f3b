// Changes as they happen: server-sent events read from the node's journal, taken up again at the last
// position after a break, gathered so that the map is drawn at most once a second.

import { SvelteMap } from "svelte/reactivity";

import { headersOf, query } from "./http";
import type { Feature } from "./features";

export const GATHER_MS = 1_000;
const RETRY_MS = 2_000;
const RETRY_MAX_MS = 30_000;
const WAITING_MAX = 20_000;

/** An object that is new or changed, or gone: then it has no feature. */
export interface Change {
  readonly id: string;
  readonly types: readonly string[];
  readonly at: number;
  readonly feature: Feature | null;
}

/** What is done with changes; and when some were missed, so that all has to be read anew. */
export interface Follower {
  readonly taken: (changes: readonly Change[]) => void;
  readonly missed: () => void;
}

class Live {
  connected = $state(false);
  /** Whether there was a connection that broke and is being sought again. */
  broken = $state(false);
  /** Nodes that are not listened to at present. */
  silent = $state.raw<readonly string[]>([]);
  /** When objects of a layer changed last, by the layer's id. */
  readonly latest = new SvelteMap<string, number>();

  #controller: AbortController | null = null;
  #position: string | null = null;
  #waiting = new Map<string, Change>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #types = "";

  /** Follow objects of some types; what was followed before is let go. */
  follow(types: readonly string[], lang: string, follower: Follower): void {
    const wanted = [...types].sort().join(",") + lang;
    if (wanted === this.#types) return;
    this.stop();
    this.#types = wanted;
    if (types.length === 0) return;
    const controller = new AbortController();
    this.#controller = controller;
    void this.#keep([...types].sort(), lang, follower, controller.signal);
  }

  stop(): void {
    this.#controller?.abort();
    this.#controller = null;
    this.#types = "";
    this.#position = null;
    this.connected = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.clear();
  }

  async #keep(
    types: readonly string[],
    lang: string,
    follower: Follower,
    signal: AbortSignal,
  ): Promise<void> {
    let pause = RETRY_MS;
    while (!signal.aborted) {
      try {
        await this.#read(types, lang, follower, signal, () => (pause = RETRY_MS));
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refused) return;
      }
      this.connected = false;
      this.broken = true;
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(RETRY_MAX_MS, pause * 2);
    }
  }

  async #read(
    types: readonly string[],
    lang: string,
    follower: Follower,
    signal: AbortSignal,
    opened: () => void,
  ): Promise<void> {
    const headers = headersOf({ accept: "text/event-stream" });
    if (this.#position !== null) headers["Last-Event-ID"] = this.#position;
    const response = await fetch(
      `/live${query({ types: types.join(","), lang, with: "observedAt" })}`,
      { headers, signal },
    );
    if (!response.ok || response.body === null) {
      if (response.status >= 400 && response.status < 500) throw new Refused();
      throw new Error(String(response.status));
    }
    this.connected = true;
    this.broken = false;
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop() ?? "";
      for (const event of events) this.#take(readEvent(event), follower);
    }
  }

  #take(event: ServerEvent, follower: Follower): void {
    if (event.id !== null) this.#position = event.id;
    if (event.name === "hello")
      this.silent = (JSON.parse(event.data) as { silent?: string[] }).silent ?? [];
    if (event.name === "reset") follower.missed();
    for (const change of changesOf(event)) {
      if (this.#waiting.size < WAITING_MAX || this.#waiting.has(change.id)) {
        this.#waiting.set(change.id, change);
      }
    }
    if (this.#waiting.size === 0 || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const changes = [...this.#waiting.values()];
      this.#waiting.clear();
      follower.taken(changes);
    }, GATHER_MS);
  }
}

/** The node has no such stream, or not for this reader: asking again would not help. */
class Refused extends Error {}

export interface ServerEvent {
  readonly id: string | null;
  readonly name: string;
  readonly data: string;
}

/** Read one event of a stream (WHATWG HTML, 9.2.6). */
export function readEvent(text: string): ServerEvent {
  let [id, name]: [string | null, string] = [null, "message"];
  const data: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [field = "", ...rest] = line.split(":");
    const value = rest.join(":").replace(/^ /, "");
    if (field === "id") id = value;
    else if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return { id, name, data: data.join("\n") };
}

interface Told {
  readonly features?: readonly (Feature & {
    readonly collections: readonly string[];
    readonly at: string;
  })[];
  readonly gone?: readonly {
    readonly id: string;
    readonly collections: readonly string[];
    readonly at: string;
  }[];
}

/** Read which objects an event speaks of; none when it isn't about objects. */
export function changesOf(event: ServerEvent): Change[] {
  if (event.name !== "changes") return [];
  const { features = [], gone = [] } = JSON.parse(event.data) as Told;
  return [
    ...features.map(({ collections, at, ...feature }) => ({
      id: feature.id,
      types: collections,
      at: Date.parse(at),
      feature,
    })),
    ...gone.map(({ id, collections, at }) => ({
      id,
      types: collections,
      at: Date.parse(at),
      feature: null,
    })),
  ];
}

export const live = new Live();
