import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { LiveCount } from "./LiveCount.jsx";

const url = import.meta.env.VITE_COUNTER_URL ?? "http://127.0.0.1:8000/counters/2/";

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <LiveCount url={url} />
  </StrictMode>,
);
