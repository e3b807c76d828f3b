// Where the page begins: the address is read, then everything is drawn from the state.

import { mount } from "svelte";

import App from "./App.svelte";
import { store } from "./state/store.svelte";
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/layout.css";

store.begin();

const target = document.getElementById("page");
if (target === null) throw new Error("index.html has no element #page");
mount(App, { target });
