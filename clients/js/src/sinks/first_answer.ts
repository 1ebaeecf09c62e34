/**
 * Time for an answer until the request is made again beside, in milliseconds. A slow path costs a few requests more, whose
 * answers are not read.
 */
const REPEAT_MS = 1_000;

/** Most requests at a time: browsers keep up to six connections to a server, one of which the element may have. */
const MOST_REQUESTS = 5;

/**
 * Makes a request until one of its repetitions is answered, and aborts the others.
 *
 * After a path went silent, the browser's pool may still have connections of that path, on which a request waits in vain.
 * One that is made beside it gets another connection, and in the end a new one.
 *
 * @param ask makes the request: given its signal, which also ends the body of the answer.
 * @param signal ends all requests.
 * @returns the first answer, whatever it says. Rejects with the first failure if all requests have failed.
 */
export async function firstAnswer<T>(ask: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  const aborters: AbortController[] = [];
  const answers: Promise<[answer: T, aborter: AbortController]>[] = [];
  for (;;) {
    const aborter = new AbortController();
    if (signal.aborted) aborter.abort();
    signal.addEventListener("abort", () => aborter.abort(), { once: true });
    aborters.push(aborter);
    answers.push(ask(aborter.signal).then((answer) => [answer, aborter]));
    const first = await firstOf(answers, answers.length < MOST_REQUESTS ? REPEAT_MS : null);
    if (first === null) continue;
    const [answer, its] = first;
    for (const other of aborters) if (other !== its) other.abort();
    return answer;
  }
}

/** Returns what the first of them resolves to; null if none does within `ms`, where that is not null. */
async function firstOf<T>(promises: Promise<T>[], ms: number | null): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const isOver = new Promise<null>((done) => {
    if (ms !== null) timer = setTimeout(() => done(null), ms);
  });
  try {
    return await Promise.race([Promise.any(promises), isOver]);
  } catch (error) {
    throw (error as AggregateError).errors[0];
  } finally {
    clearTimeout(timer);
  }
}
