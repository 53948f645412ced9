import { credentials, logOut } from "../api/credentials.ts";
import { liveness } from "../live/connection.ts";
import { useStore } from "../live/store.ts";
import { Icon } from "./icon.tsx";
import { switchTheme, theme } from "./theme.ts";

import type { JSX } from "preact";

import type { Route } from "../routes.ts";

const VIEWS: readonly (readonly [href: string, name: string, ...views: Route["view"][]])[] = [
  ["/", "Pools", "overview"],
  ["/runs", "Runs", "runs", "run"],
  ["/deployments", "Deployments", "deployments", "deployment"],
  ["/variables", "Variables", "variables"],
  ["/blocks", "Blocks", "blocks"],
];

const THEME_NAMES = { auto: "as the system", light: "light", dark: "dark" } as const;

/** The page's head: where one can go, whether what is shown is live, how it looks. */
export function Header({
  route,
  onHelp,
}: {
  readonly route: Route;
  readonly onHelp: () => void;
}): JSX.Element {
  const isLive = useStore(liveness) === "live";
  const colours = useStore(theme);
  const isLoggedIn = useStore(credentials) !== undefined;
  return (
    <header class="header">
      <a class="brand" href="/" aria-label="Lighterman, to the pools">
        <img src="/assets/icon.svg" alt="" width="22" height="22" />
        <span>Lighterman</span>
      </a>
      <nav aria-label="Views">
        {VIEWS.map(([href, name, ...views]) => (
          <a key={href} href={href} aria-current={views.includes(route.view) ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div class="header-end">
        <span class={isLive ? "liveness live" : "liveness"} role="status">
          {isLive ? "Live" : "Connecting…"}
        </span>
        <button
          type="button"
          class="icon-button"
          onClick={switchTheme}
          aria-label={`Colours: ${THEME_NAMES[colours]}. Change`}
          title={`Colours: ${THEME_NAMES[colours]} (t)`}
        >
          <Icon name={colours} />
        </button>
        <button
          type="button"
          class="icon-button"
          onClick={onHelp}
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
        >
          <span aria-hidden="true">?</span>
        </button>
        {isLoggedIn && (
          <button type="button" class="plain" onClick={logOut}>
            Log out
          </button>
        )}
      </div>
    </header>
  );
}
