import { parseMarkdown, safeHref } from "./markdown.ts";

import type { JSX } from "preact";

import type { Artifact, JsonValue } from "../api/types.ts";
import type { Block, Inline } from "./markdown.ts";

/** What a run has left for its readers; drawn as text only, whatever it holds. */
export function Artifacts({ artifacts }: { readonly artifacts: readonly Artifact[] }): JSX.Element | null {
  if (artifacts.length === 0) return null;
  return (
    <section aria-labelledby="artifacts" class="card">
      <div class="card-head">
        <h2 id="artifacts">Artifacts</h2>
        <span class="muted">{artifacts.length}</span>
      </div>
      {artifacts.map((artifact) => (
        <article key={artifact.id} class="artifact">
          <h3>
            {artifact.key ?? "unnamed"} <span class="tag">{artifact.type ?? "data"}</span>
          </h3>
          {artifact.description !== null && <p class="muted">{artifact.description}</p>}
          <ArtifactData artifact={artifact} />
        </article>
      ))}
    </section>
  );
}

function ArtifactData({ artifact: { type, data } }: { readonly artifact: Artifact }): JSX.Element {
  if (type === "markdown" && typeof data === "string") return <Markdown text={data} />;
  if (type === "table") {
    const rows = rowsOf(data);
    if (rows !== undefined) return <DataTable rows={rows} />;
  }
  if (type === "progress" && typeof data === "number") {
    return (
      <span class="slots">
        <meter min={0} max={100} value={data} aria-label="Progress" /> {Math.round(data)} %
      </span>
    );
  }
  if (type === "image" && typeof data === "string") {
    const href = safeHref(data);
    if (href !== undefined)
      return (
        <a href={href} target="_blank" rel="noreferrer">
          {data}
        </a>
      );
  }
  return <pre class="code">{typeof data === "string" ? data : JSON.stringify(data, null, 2)}</pre>;
}

export function Markdown({ text }: { readonly text: string }): JSX.Element {
  return (
    <div class="markdown">
      {parseMarkdown(text).map((block, index) => (
        <BlockView key={index} block={block} />
      ))}
    </div>
  );
}

function BlockView({ block }: { readonly block: Block }): JSX.Element {
  switch (block.kind) {
    case "heading": {
      // The page's own headings stand above those of a report.
      const Heading = `h${Math.min(6, block.level + 3)}` as "h4" | "h5" | "h6";
      return (
        <Heading>
          <Line line={block.line} />
        </Heading>
      );
    }
    case "paragraph":
      return (
        <p>
          <Line line={block.line} />
        </p>
      );
    case "quote":
      return (
        <blockquote>
          <Line line={block.line} />
        </blockquote>
      );
    case "code":
      return <pre class="code">{block.text}</pre>;
    case "rule":
      return <hr />;
    case "list": {
      const items = block.items.map((line, index) => (
        <li key={index}>
          <Line line={line} />
        </li>
      ));
      return block.isOrdered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return (
        <div class="table-scroll">
          <table>
            <thead>
              <tr>
                {block.head.map((cell, index) => (
                  <th key={index} scope="col">
                    <Line line={cell} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => (
                    <td key={column}>
                      <Line line={cell} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function Line({ line }: { readonly line: readonly Inline[] }): JSX.Element {
  return (
    <>
      {line.map((inline, index) => {
        switch (inline.kind) {
          case "code":
            return <code key={index}>{inline.text}</code>;
          case "strong":
            return <strong key={index}>{inline.text}</strong>;
          case "emphasis":
            return <em key={index}>{inline.text}</em>;
          case "link":
            return (
              <a key={index} href={inline.href} target="_blank" rel="noreferrer">
                {inline.text}
              </a>
            );
          default:
            return inline.text;
        }
      })}
    </>
  );
}

type DataRow = Readonly<Record<string, JsonValue>>;

function DataTable({ rows }: { readonly rows: readonly DataRow[] }): JSX.Element {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return (
    <div class="table-scroll">
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {columns.map((column) => (
                <td key={column}>{cellText(row[column])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** A table artifact's data (prefect/artifacts.py: JSON text of a list of rows, or of lists by column). */
function rowsOf(data: JsonValue): readonly DataRow[] | undefined {
  const value = typeof data === "string" ? parsed(data) : data;
  if (Array.isArray(value)) {
    const rows = value as readonly JsonValue[];
    return rows.map((row) => (typeof row === "object" && row !== null ? (row as DataRow) : { value: row }));
  }
  if (typeof value !== "object" || value === null) return undefined;
  const columns = Object.entries(value);
  const length = Math.max(0, ...columns.map(([, cells]) => (Array.isArray(cells) ? cells.length : 0)));
  return Array.from({ length }, (_, index) =>
    Object.fromEntries(
      columns.map(([name, cells]) => [
        name,
        Array.isArray(cells) ? ((cells[index] as JsonValue | undefined) ?? null) : null,
      ]),
    ),
  );
}

function parsed(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return null;
  }
}

function cellText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
