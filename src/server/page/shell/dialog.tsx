import { useEffect, useRef } from "preact/hooks";

import { Store, useStore } from "../live/store.ts";

import type { ComponentChildren, JSX } from "preact";

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly isWide?: boolean;
}

/** A modal dialog; the browser keeps the focus in it, and Escape closes it. */
export function Dialog({ title, onClose, children, isWide = false }: DialogProps): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    element.current?.setAttribute("closedby", "any"); // a click beside it, too
    element.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog ref={element} class={isWide ? "dialog wide" : "dialog"} aria-label={title} onClose={onClose}>
      <div class="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that goes on. */
  readonly action: string;
  readonly answer: (isYes: boolean) => void;
}

const question = new Store<Question | undefined>(undefined);

/** Asks before something that cannot be taken back. */
export function confirm(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    question.value?.answer(false);
    question.set({ title, text, action, answer: resolve });
  });
}

/** Shows the question that is being asked. */
export function Confirmation(): JSX.Element | null {
  const asked = useStore(question);
  if (asked === undefined) return null;
  const settle = (isYes: boolean): void => {
    asked.answer(isYes);
    if (question.value === asked) question.set(undefined);
  };
  return (
    <Dialog key={asked.title} title={asked.title} onClose={() => settle(false)}>
      <p>{asked.text}</p>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={() => settle(false)}>
          Keep it
        </button>
        {/* The dialog's first focus: Enter goes on, Escape does not. */}
        <button type="button" class="button danger" autofocus onClick={() => settle(true)}>
          {asked.action}
        </button>
      </div>
    </Dialog>
  );
}
