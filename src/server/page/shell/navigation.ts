import { Store } from "../live/store.ts";

export interface Place {
  readonly path: string;
  readonly query: string;
}

/** Where the page is: path and query of the address. */
export const place = new Store<Place>(here());

/** Goes to an address of the page; `replace` leaves no entry in the browser's history. */
export function navigate(href: string, { replace = false }: { readonly replace?: boolean } = {}): void {
  const before = location.pathname;
  if (replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  place.set(here());
  if (location.pathname !== before) window.scrollTo(0, 0);
}

/** Lets every plain click on a link of the page change the view without loading the page anew. */
export function followLinks(): void {
  window.addEventListener("popstate", () => place.set(here()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.target !== "" || link.hasAttribute("download")) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || url.pathname.startsWith("/api")) return;
    event.preventDefault();
    navigate(url.pathname + url.search);
  });
}

function here(): Place {
  return { path: location.pathname, query: location.search };
}
