import { createApp } from "vue";
import LiveCount from "./LiveCount.vue";

const url = import.meta.env.VITE_COUNTER_URL ?? "http://127.0.0.1:8000/counters/2/";

createApp(LiveCount, { url }).mount("#root");
