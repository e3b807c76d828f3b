// Why there is no answer, in words for people.

import { TIMEOUT_MS, type AskError } from "../api/http";
import { t } from "../state/store.svelte";

export function explained(error: AskError): string {
  switch (error.kind) {
    case "offline":
      return t("app.offline");
    case "timeout":
      return t("app.timeout", { seconds: TIMEOUT_MS / 1000 });
    case "unauthenticated":
      return t("signin.title");
    case "absent":
    case "refused":
      return t("app.refused", { detail: error.detail });
    case "broken":
      return t("app.broken", { detail: error.detail });
  }
}
