// Names of types and attributes for people, as the node serves them.

import type { Names } from "../i18n/say";
import { askJson, type Answer } from "./http";

export type Vocabulary = Readonly<Record<string, Names>>;

/** Ask for the names of the platform's terms. */
export function askVocabulary(signal: AbortSignal): Promise<Answer<Vocabulary>> {
  return askJson<Vocabulary>("/contexts/conurb-v1.labels.json", { signal });
}
