/**
 * Messages on their way to another thread: per topic one text and the lengths of what stands in it. One text is copied at a
 * microsecond a message pair; the messages as objects, each with its own texts, take ten.
 */
import type { EventMessage, TopicMessages } from './producer.ts';

export interface TopicFrame {
  readonly topic: string;
  /** Key, value, key, value … */
  readonly text: string;
  /** Of each of them, in UTF-16 units. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** The different headers, and which of them each message has. */
  readonly headers: readonly EventMessage['headers'][];
  readonly headersOf: Uint16Array<ArrayBuffer>;
}

/** Different headers of one send; whoever has more sends more often. */
const HEADERS_MAX = 0xffff;

export function packTopic({ topic, messages }: TopicMessages): TopicFrame {
  const lengths = new Uint32Array(messages.length * 2);
  const headersOf = new Uint16Array(messages.length);
  const known = new Map<EventMessage['headers'], number>();
  let text = '';
  for (const [index, { key, value, headers }] of messages.entries()) {
    text += key;
    text += value;
    lengths[2 * index] = key.length;
    lengths[2 * index + 1] = value.length;
    let place = known.get(headers);
    if (place === undefined) {
      if (known.size > HEADERS_MAX) throw new Error('too many different headers in one send');
      place = known.size;
      known.set(headers, place);
    }
    headersOf[index] = place;
  }
  return { topic, text, lengths, headers: [...known.keys()], headersOf };
}

export function unpackTopic({ topic, text, lengths, headers, headersOf }: TopicFrame): TopicMessages {
  let at = 0;
  const next = (index: number): string => {
    const from = at;
    at += lengths[index] as number;
    return text.slice(from, at);
  };
  const messages = Array.from(headersOf, (place, index): EventMessage => {
    const [key, value] = [next(2 * index), next(2 * index + 1)];
    const own = headers[place];
    return own === undefined ? { key, value } : { key, value, headers: own };
  });
  return { topic, messages };
}
