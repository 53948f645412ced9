import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificates extends Disposable {
  /** PEM file of the CA. */
  readonly caFile: string;
  /** For a server on 127.0.0.1 and localhost, signed by the CA. */
  readonly key: string;
  readonly cert: string;
}

/** Tests that need certificates are skipped where this is false. */
export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** Makes a CA and a server certificate with openssl. */
export function makeCertificates(): Certificates {
  const directory = mkdtempSync(join(tmpdir(), "certificates-"));
  const path = (name: string): string => join(directory, name);
  const openssl = (...args: readonly string[]): void => {
    execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "2",
    "-subj",
    "/CN=Test CA",
  );
  openssl("req", ...newKey, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(path("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  openssl(
    ..."x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem".split(
      " ",
    ),
  );
  return {
    caFile: path("ca.pem"),
    key: readFileSync(path("server.key"), "utf8"),
    cert: readFileSync(path("server.pem"), "utf8"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
