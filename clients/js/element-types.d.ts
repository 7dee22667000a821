/** Types of the insides of live-counter.js, which are not published. */

export type Timer = ReturnType<typeof setTimeout> | undefined;

/** What somebody who subscribed listens to. */
export interface Listening {
  topic: string;
  listener: (news: any) => void;
}

/** What is known of a topic: its value, or why there is none. */
export interface Item {
  value?: number;
  error?: Error;
  id?: string;
}

export interface Stream {
  topics: string[];
  source?: EventSource;
  timer?: Timer;
}

/** What tabs tell each other. */
export interface Message {
  topics?: string[];
  news?: [string, Item][];
  leads?: boolean;
}

/** What the service answers, in so far as the module reads it. */
export interface Answer {
  topic: string;
  value: number;
}

declare global {
  /** Browsers have more than TypeScript's library knows yet. */
  interface Document {
    readonly prerendering?: boolean;
  }
}
