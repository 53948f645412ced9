import { render } from "preact";

import { App } from "./app.tsx";
import { followLinks } from "./shell/navigation.ts";
import { listenForShortcuts } from "./shell/shortcuts.ts";
import { applyTheme } from "./shell/theme.ts";

applyTheme();
followLinks();
listenForShortcuts();
const root = document.getElementById("page");
if (root !== null) render(<App />, root);
