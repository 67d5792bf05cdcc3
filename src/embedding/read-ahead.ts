/**
 * The same items in the same order, each made while the one before it is used: one ahead, never more. An error is thrown when its
 * item's turn comes.
 *
 * @param make Makes the items; its signal is aborted when nobody wants more of them.
 */
export async function* readAhead<T>(make: (stop: AbortSignal) => AsyncGenerator<T>): AsyncGenerator<T> {
  const stop = new AbortController();
  const items = make(stop.signal);
  const begin = () => {
    const item = items.next();
    item.catch(() => {}); // It is thrown below, or not wanted any more.
    return item;
  };
  let next = begin();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = begin();
      yield value;
    }
  } finally {
    stop.abort();
    await items.return(undefined); // Returns once the item that is being made has come to its end.
  }
}
