import { useState } from "react";
import { useCounter } from "livecounter-client/react";

/** A number that is always the present one, and a button that adds to it. */
export function LiveCount({ url }) {
  const { value, error, add } = useCounter(url);
  const [problem, setProblem] = useState("");

  const press = () =>
    add().then(
      () => setProblem(""),
      (error) => setProblem(error.message),
    );

  return (
    <p>
      <strong>{value ?? "…"}</strong> <small>{value === null ? "connecting" : "live"}</small>{" "}
      <button onClick={press}>+1</button> <span role="status">{error?.message ?? problem}</span>
    </p>
  );
}
