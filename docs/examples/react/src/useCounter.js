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

  const add = useCallback(
    async (by = 1) => {
      const answer = await fetch(`${url}?by=${by}`, { method: "POST" });
      if (!answer.ok) throw new Error((await answer.json()).detail);
    },
    [url],
  );

  return { count, live, add };
}
