import { add, subscribe } from "livecounter-client/element";
import { counter } from "livecounter-client/svelte";
import { useCounter } from "livecounter-client/vue";
import type { Readable } from "svelte/store";
import { computed, ref } from "vue";

const url = "https://counters.example.com/counters/2/";

const stop: () => void = subscribe(url, (news) => console.log("error" in news ? news.error.message : news.value + 1));
const sum: number = await add(url, { by: 2, key: "k" });

const store: Readable<{ value: number | null; error: Error | null }> = counter(url, { initial: 26 });
store.subscribe(({ value }) => console.log(value, sum))();
stop();

const address = ref(url);
for (const given of [url, address, () => address.value] as const) {
  const { value, error, add: more } = useCounter(given);
  const twice = computed(() => (value.value ?? 0) * 2);
  console.log(twice.value, error.value?.message, (await more()).toFixed());
  // @ts-expect-error The value comes from the service.
  value.value = 2;
}
