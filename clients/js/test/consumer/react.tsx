import { useCounter } from "livecounter-client/react";

export function Views({ url }: { url: string }) {
  const { value, error, add } = useCounter(url, { initial: 26 });
  const known: number | null = value;
  const problem: Error | null = error;
  return <button onClick={() => add({ by: 2 }).then((next: number) => next)}>{known ?? problem?.message}</button>;
}

// @ts-expect-error A counter is named by its address.
useCounter(2);
