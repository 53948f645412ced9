import { call } from "../api/client.ts";
import { useLiveness } from "../live/connection.ts";
import { useNow } from "../live/now.ts";
import { useResource } from "../live/resource.ts";
import { Moment } from "../pools/pool-card.tsx";
import { EmptyNote, ErrorNote } from "../shell/notes.tsx";

import type { JSX } from "preact";

import type { BlockDocument } from "../api/types.ts";

const EVERY_MS = 15_000;

/** The blocks by name; what they hold is not shown here. */
export function BlocksPage(): JSX.Element {
  const now = useNow();
  const blocks = useResource(
    "blocks",
    (signal) => call<readonly BlockDocument[]>("POST", "/block_documents/filter", {}, signal),
    { everyMs: EVERY_MS },
  );
  useLiveness();
  return (
    <main class="view" id="main" tabIndex={-1}>
      <div class="view-head">
        <h1>Blocks</h1>
        <span class="muted">{blocks.data?.length}</span>
      </div>
      <ErrorNote error={blocks.error} />
      {blocks.data?.length === 0 && (
        <EmptyNote title="No block yet">
          <p>
            Blocks hold credentials and storage for flows. Python saves them, for instance{" "}
            <code>Secret(value="…").save("my-secret")</code>.
          </p>
        </EmptyNote>
      )}
      {(blocks.data?.length ?? 0) > 0 && (
        <div class="table-scroll">
          <table aria-label="Blocks">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Type</th>
                <th scope="col">Changed</th>
              </tr>
            </thead>
            <tbody>
              {blocks.data?.map((block) => (
                <tr key={block.id} tabIndex={0} data-row={block.id}>
                  <th scope="row">{block.name ?? "unnamed"}</th>
                  <td>{block.block_type_name}</td>
                  <td>
                    <Moment timestamp={block.updated} now={now} none="" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </main>
  );
}
