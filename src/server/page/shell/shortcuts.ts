import { useEffect, useRef } from "preact/hooks";

/** Keys to what they do: `?`, `j`, or two in a row such as `g r`. */
export type Shortcuts = Readonly<Record<string, () => void>>;

const CHORD_MS = 1500;

const layers: Shortcuts[] = [];
let firstKey = "";
let firstKeyAt = 0;

/** Adds shortcuts for as long as the component is shown; the innermost component's win. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    const layer: Shortcuts = new Proxy({}, { get: (_, key) => latest.current[String(key)] });
    layers.push(layer);
    return () => void layers.splice(layers.indexOf(layer), 1);
  }, []);
}

/** Listens for the keys, once for the page. */
export function listenForShortcuts(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target } = event;
    if (event.key === "Escape" && isField(target)) {
      target.blur();
      return;
    }
    if (isField(target) || document.querySelector("dialog[open]") !== null) return;
    const chord = Date.now() - firstKeyAt < CHORD_MS ? `${firstKey} ${event.key}` : "";
    const action = find(chord) ?? find(event.key);
    firstKey = event.key;
    firstKeyAt = action === undefined ? Date.now() : 0;
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}

function find(key: string): (() => void) | undefined {
  return key === "" ? undefined : layers.findLast((layer) => layer[key] !== undefined)?.[key];
}

function isField(target: EventTarget | null): target is HTMLElement {
  return (
    target instanceof HTMLElement &&
    /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) &&
    !/^(checkbox|radio|button|submit)$/.test(target.getAttribute("type") ?? "")
  );
}

/** Moves the focus among the rows (`data-row`) of the shown lists; from outside it goes to the first. */
export function focusRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at === -1 ? 0 : at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

/** Id of the row that has the focus (its `data-row`); undefined when none has. */
export function focusedRow(): string | undefined {
  return document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset["row"];
}
