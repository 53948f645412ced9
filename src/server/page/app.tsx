import { useEffect, useState } from "preact/hooks";

import { needsLogin } from "./api/credentials.ts";
import { BlocksPage } from "./catalog/blocks-page.tsx";
import { VariablesPage } from "./catalog/variables-page.tsx";
import { DeploymentPage } from "./deployments/deployment-page.tsx";
import { DeploymentsPage } from "./deployments/deployments-page.tsx";
import { RunDialogHost } from "./deployments/run-dialog.tsx";
import { useStore } from "./live/store.ts";
import { OverviewPage } from "./pools/overview-page.tsx";
import { routeOf } from "./routes.ts";
import { ResumeDialogHost } from "./run/resume-dialog.tsx";
import { RunPage } from "./run/run-page.tsx";
import { RunsPage } from "./runs/runs-page.tsx";
import { Banner } from "./shell/banner.tsx";
import { Confirmation } from "./shell/dialog.tsx";
import { Header } from "./shell/header.tsx";
import { Help } from "./shell/help.tsx";
import { Login } from "./shell/login.tsx";
import { navigate, place } from "./shell/navigation.ts";
import { EmptyNote } from "./shell/notes.tsx";
import { focusRow, useShortcuts } from "./shell/shortcuts.ts";
import { switchTheme } from "./shell/theme.ts";
import { Toasts } from "./shell/toasts.tsx";

import type { JSX } from "preact";

import type { Route } from "./routes.ts";

/** The whole page: head, view, dialogs. */
export function App(): JSX.Element {
  const route = routeOf(useStore(place).path);
  const mustLogIn = useStore(needsLogin);
  const [isHelpShown, setIsHelpShown] = useState(false);
  useShortcuts({
    "?": () => setIsHelpShown(true),
    "/": focusSearch,
    j: () => focusRow(1),
    k: () => focusRow(-1),
    t: switchTheme,
    "g p": () => navigate("/"),
    "g r": () => navigate("/runs"),
    "g d": () => navigate("/deployments"),
    "g v": () => navigate("/variables"),
    "g b": () => navigate("/blocks"),
  });
  useEffect(() => {
    document.title = `${TITLES[route.view]} · Lighterman`;
  }, [route.view]);

  if (mustLogIn) return <Login />;
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <Header route={route} onHelp={() => setIsHelpShown(true)} />
      <Banner />
      <View route={route} />
      <RunDialogHost />
      <ResumeDialogHost />
      <Confirmation />
      {isHelpShown && <Help onClose={() => setIsHelpShown(false)} />}
      <Toasts />
    </>
  );
}

const TITLES: Readonly<Record<Route["view"], string>> = {
  overview: "Pools",
  runs: "Runs",
  run: "Run",
  deployments: "Deployments",
  deployment: "Deployment",
  variables: "Variables",
  blocks: "Blocks",
  "not-found": "Not found",
};

function View({ route }: { readonly route: Route }): JSX.Element {
  switch (route.view) {
    case "overview":
      return <OverviewPage />;
    case "runs":
      return <RunsPage />;
    case "run":
      return <RunPage key={route.id} id={route.id} />;
    case "deployments":
      return <DeploymentsPage />;
    case "deployment":
      return <DeploymentPage key={route.id} id={route.id} />;
    case "variables":
      return <VariablesPage />;
    case "blocks":
      return <BlocksPage />;
    default:
      return (
        <main class="view" id="main" tabIndex={-1}>
          <EmptyNote title="There is nothing at this address">
            <p>
              <a href="/">To the pools</a>
            </p>
          </EmptyNote>
        </main>
      );
  }
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("[data-search]");
  field?.focus();
  field?.select();
}
