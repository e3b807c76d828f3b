// Something that is asked for and may be loading, slow, there, empty or failed. Asking again gives the
// question before up; what was there stays visible until the new answer is.

import { AskError, type Answer, type Completeness } from "./http";

export const SLOW_MS = 1_500;

export type Status = "idle" | "loading" | "slow" | "ready" | "failed";

export class Resource<T> {
  status = $state<Status>("idle");
  data = $state.raw<T | null>(null);
  error = $state.raw<AskError | null>(null);
  completeness = $state.raw<Completeness | null>(null);

  #controller: AbortController | null = null;
  #key: string | null = null;
  #again: (() => Promise<void>) | null = null;

  /** Ask, unless the same `key` has been asked for and answered already. */
  async load(key: string, asked: (signal: AbortSignal) => Promise<Answer<T>>): Promise<void> {
    if (key === this.#key && this.status !== "failed") return;
    this.#key = key;
    this.#again = () => {
      this.#key = null;
      return this.load(key, asked);
    };
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    this.status = "loading";
    this.error = null;
    const slow = setTimeout(() => {
      if (!controller.signal.aborted) this.status = "slow";
    }, SLOW_MS);
    try {
      const answer = await asked(controller.signal);
      if (controller.signal.aborted) return;
      this.data = answer.body;
      this.completeness = answer.completeness;
      this.status = "ready";
    } catch (error) {
      if (controller.signal.aborted) return;
      this.error = error instanceof AskError ? error : new AskError("broken", String(error));
      this.status = "failed";
    } finally {
      clearTimeout(slow);
    }
  }

  /** Ask the same again. */
  retry(): void {
    void this.#again?.();
  }

  /** Forget the answer and give the question up. */
  clear(): void {
    this.#controller?.abort();
    this.#key = null;
    this.data = null;
    this.error = null;
    this.completeness = null;
    this.status = "idle";
  }

  get busy(): boolean {
    return this.status === "loading" || this.status === "slow";
  }
}
