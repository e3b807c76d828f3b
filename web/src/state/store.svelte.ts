// The page's one store: the state, how it changes, and its address. Whatever is shown follows from
// it; whatever changes it goes through `change`, which writes the address.

import { named, say, type Key, type Names, type Parts } from "../i18n/say";
import { decode, encode } from "./codec";
import {
  DEFAULTS,
  OPACITY_MAX,
  SELECTED_MAX,
  type Language,
  type PageState,
  type Panel,
  type Shown,
  type Theme,
} from "./model";

/** What a reader would want to come back to by the browser's back button. */
const STEPS_BACK: readonly (keyof PageState)[] = [
  "selected",
  "panel",
  "indicator",
  "other",
  "desk",
];
/** Objects that the duty desk shows itself, while it is open. */
const DESK_OBJECT = /^urn:ngsi-ld:(RegionalEvent|Alert):/;
const ADDRESS_DELAY_MS = 150;

class Store {
  page = $state.raw<PageState>(DEFAULTS);
  /** Parameters of the address that said nothing to the page. */
  ignored = $state.raw<readonly string[]>([]);
  /** What the system prefers, where the reader has chosen nothing. */
  system = $state.raw<{ lang: Language; theme: Theme }>({ lang: "en", theme: "light" });

  readonly lang: Language = $derived(this.page.lang ?? this.system.lang);
  readonly theme: Theme = $derived(this.page.theme ?? this.system.theme);

  #writing: ReturnType<typeof setTimeout> | undefined;

  /** Take the state from the address, and follow it. */
  begin(): void {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const prefer = (): void => {
      const lang = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
      this.system = { lang, theme: dark.matches ? "dark" : "light" };
    };
    prefer();
    dark.addEventListener("change", prefer);
    const read = (): void => {
      const { state, ignored } = decode(location.search);
      this.page = state;
      this.ignored = ignored;
    };
    read();
    addEventListener("popstate", read);
  }

  /** Change the state; the address follows. */
  change(changes: Partial<PageState>): void {
    const before = this.page;
    this.page = { ...before, ...changes };
    const keeps = STEPS_BACK.some((key) => key in changes && changes[key] !== before[key]);
    clearTimeout(this.#writing);
    if (keeps) this.#write(true);
    else this.#writing = setTimeout(() => this.#write(false), ADDRESS_DELAY_MS);
  }

  /** Give the address of what is shown. */
  address(changes: Partial<PageState> = {}): string {
    const query = encode({ ...this.page, ...changes });
    return `${location.origin}${location.pathname}${query === "" ? "" : `?${query}`}`;
  }

  #write(push: boolean): void {
    const address = this.address();
    if (address === location.href) return;
    if (push) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }

  /** Open a panel, or close it when it is the one that is open. */
  toggle(panel: Panel): void {
    this.change({ panel: this.page.panel === panel ? null : panel });
  }

  /** Select one object and open its page; the duty desk, if that is open, for what it shows. */
  open(id: string): void {
    const others = this.page.selected.filter((one) => one !== id).slice(0, SELECTED_MAX - 1);
    const keeps = this.page.selected.includes(id) ? others : [];
    const { panel } = this.page;
    const onDesk = panel === "duty" && DESK_OBJECT.test(id);
    this.change({ selected: [id, ...keeps], panel: onDesk ? panel : "object" });
  }

  /** Add an object to the selection, or take it away. */
  toggleSelected(id: string): void {
    const { selected } = this.page;
    const without = selected.filter((one) => one !== id);
    const added = without.length === selected.length && selected.length < SELECTED_MAX;
    this.change({ selected: added ? [...selected, id] : without });
  }

  /** Say a text of the catalogue. */
  say(key: Key, parts: Parts = {}): string {
    return say(this.lang, key, parts);
  }

  /** Choose a name of several languages. */
  named(names: Names | undefined, otherwise: string): string {
    return named(this.lang, names, otherwise);
  }
}

export const store = new Store();
export type SayKey = Key;
export const t = (key: Key, parts: Parts = {}): string => store.say(key, parts);

/** A layer as it is when it is turned on. */
export function shownAs(id: string): Shown {
  return { id, opacity: OPACITY_MAX, pinned: null };
}
