import { useState } from "react";
import { useCounter } from "./useCounter.js";

/** A number that is always the present one, and a button that adds to it. */
export function LiveCount({ url }) {
  const { count, live, add } = useCounter(url);
  const [problem, setProblem] = useState("");

  const press = () =>
    add(1).then(
      () => setProblem(""),
      (error) => setProblem(error.message),
    );

  return (
    <p>
      <strong>{count ?? "…"}</strong> <small>{live ? "live" : "connecting"}</small>{" "}
      <button onClick={press}>+1</button> <span role="status">{problem}</span>
    </p>
  );
}
