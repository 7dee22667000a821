import { mount } from "svelte";
import LiveCount from "./LiveCount.svelte";

const url = import.meta.env.VITE_COUNTER_URL ?? "http://127.0.0.1:8000/counters/2/";

mount(LiveCount, { target: document.getElementById("root"), props: { url } });
