import { Dialog } from "./dialog.tsx";

import type { JSX } from "preact";

const KEYS: readonly (readonly [keys: readonly string[], meaning: string])[] = [
  [["g", "p"], "Pools and workers"],
  [["g", "d"], "Deployments"],
  [["g", "r"], "Runs"],
  [["g", "v"], "Variables"],
  [["g", "b"], "Blocks"],
  [["/"], "Search in the list or the logs"],
  [["j"], "Next row"],
  [["k"], "Row before"],
  [["Enter"], "Open the row"],
  [["r"], "Run the deployment, or this run again"],
  [["p"], "Pause or resume the deployment"],
  [["c"], "Cancel the run (asks first)"],
  [["f"], "Follow the logs"],
  [["t"], "Light, dark, or as the system"],
  [["?"], "This help"],
  [["Esc"], "Leave a field, close a dialog"],
];

/** The keyboard's shortcuts. */
export function Help({ onClose }: { readonly onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog" class="dialog-buttons">
        <button type="submit" class="button" autofocus>
          Close
        </button>
      </form>
    </Dialog>
  );
}
