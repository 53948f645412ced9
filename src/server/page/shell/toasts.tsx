import { reasonText } from "../api/client.ts";
import { Store, useStore } from "../live/store.ts";

import type { JSX } from "preact";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
  readonly href: string | undefined;
}

const SHOWN_MS = 6000;
const toasts = new Store<readonly Toast[]>([]);
let lastId = 0;

/** Says for a moment what was done; `href` leads to it. */
export function say(text: string, href?: string): void {
  show({ text, href, isError: false });
}

/** Does something and says when it failed; returns whether it went well. */
export async function attempt(what: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    show({ text: `${what}: ${reasonText(thrown)}`, href: undefined, isError: true });
    return false;
  }
}

function show(toast: Omit<Toast, "id">): void {
  lastId += 1;
  const id = lastId;
  toasts.set([...toasts.value.slice(-3), { id, ...toast }]);
  window.setTimeout(() => dismiss(id), toast.isError ? 2 * SHOWN_MS : SHOWN_MS);
}

function dismiss(id: number): void {
  toasts.set(toasts.value.filter((toast) => toast.id !== id));
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {useStore(toasts).map(({ id, text, href, isError }) => (
        <div key={id} class={isError ? "toast error" : "toast"}>
          {href === undefined ? <span>{text}</span> : <a href={href}>{text}</a>}
          <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
