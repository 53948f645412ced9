import type { ComponentChildren, JSX } from "preact";

import type { ApiError } from "../api/client.ts";

/** What stands where a list is empty: why, and what to do next. */
export function EmptyNote({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <h3>{title}</h3>
      {children}
    </div>
  );
}

/** A command to copy into a shell. */
export function Command({ children }: { readonly children: string }): JSX.Element {
  return (
    <pre class="command">
      <code>{children}</code>
    </pre>
  );
}

/** Why something could not be read. A server that is away is told of by the banner alone. */
export function ErrorNote({ error }: { readonly error: ApiError | undefined }): JSX.Element | null {
  if (error === undefined || error.status === 0 || error.status === 401) return null;
  return (
    <p class="error-note" role="alert">
      {error.message}
    </p>
  );
}
