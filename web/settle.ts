import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Lets the children of a list glide to their new places when its order changes, unless the reader wants no motion. */
export function useSettling(list: RefObject<HTMLElement | null>, order: readonly number[]): void {
  const places = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const before = places.current;
    places.current = new Map();
    for (const child of list.current?.children ?? []) {
      if (!(child instanceof HTMLElement)) continue;
      const key = child.dataset.answer!;
      places.current.set(key, child.offsetTop);
      const moved = (before.get(key) ?? child.offsetTop) - child.offsetTop;
      if (moved === 0 || calm()) continue;
      child.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], {
        duration: 260,
        easing: "cubic-bezier(.2, .7, .2, 1)",
      });
    }
  }, [order.join()]);
}
