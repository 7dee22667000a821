import { useCallback, useEffect, useState } from "react";

/**
 * The counter at `url`, live: `count` is null until the first value is there, `live` tells whether the stream stands,
 * and `add(by)` asks for a change; the new count comes by the stream, here and everywhere else.
 */
export function useCounter(url) {
  const [count, setCount] = useState(null);
  const [live, setLive] = useState(false);

  useEffect(() => {
    let source, timer, patience = 1000;
    const open = () => {
      source = new EventSource(url);
      source.addEventListener("open", () => setLive(true));
      source.addEventListener("message", (message) => {
        patience = 1000;
        setCount(Number(message.data));
      });
      source.addEventListener("error", () => {
        setLive(false);
        // A broken connection the browser opens again by itself; after an error for an answer it gives up.
        if (source.readyState !== EventSource.CLOSED) return;
        timer = setTimeout(open, patience * (0.5 + Math.random()));
        patience = Math.min(patience * 2, 30000);
      });
    };
    open();
    return () => {
      clearTimeout(timer);
      source.close();
      setCount(null);
      setLive(false);
    };
  }, [url]);

  const add = useCallback((by = 1) => post(`${url}?by=${by}`), [url]);

  return { count, live, add };
}

/** Asks until there is an answer. All tries have one key, so that it counts once, whichever answers get lost. */
async function post(url) {
  const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
  for (let patience = 500; ; patience *= 2) {
    const answer = await fetch(url, { method: "POST", headers: { "Idempotency-Key": key } }).catch(() => null);
    if (answer?.ok) return;
    const again = !answer || [500, 502, 503, 504].includes(answer.status);
    if (!again || patience > 4000) {
      const problem = await answer?.json().catch(() => null);
      throw new Error(problem?.detail ?? "the server gave no answer, so it may or may not have counted");
    }
    await new Promise((resolve) => setTimeout(resolve, patience * (0.5 + Math.random())));
  }
}
