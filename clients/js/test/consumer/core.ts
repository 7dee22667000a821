import { add, CounterError, get, watch, type Reading } from "livecounter-client";

const base = "https://counters.example.com";
const one: number = await get({ base, id: "2" });
const several: Map<string, number> = await get({ base, id: ["1", "2"] });
const listed: Map<string, number> = await get([`${base}/counters/1/`, new URL(`${base}/counters/2/`)]);
const added: number = await add(`${base}/counters/2/`, { by: 2, key: "k", token: "secret", patience: 1000 });
for await (const reading of watch({ base, id: ["1", "2"] }, { signal: AbortSignal.timeout(1000), silence: 5000 })) {
  const { id, value, event }: Reading = reading;
  console.log(id.length, value.toFixed(), event.length);
}
try {
  console.log(one, several.get("1"), listed.size, added);
} catch (error) {
  if (error instanceof CounterError) console.log(error.status + 1, error.detail?.length, error.key, error.retryAfter, error.temporary);
}

// @ts-expect-error An id needs the address of the service.
get({ id: "2" });
// @ts-expect-error Amounts are numbers.
add(`${base}/counters/2/`, { by: "2" });
// @ts-expect-error One number is no map.
(await get(`${base}/counters/2/`)).get("2");
