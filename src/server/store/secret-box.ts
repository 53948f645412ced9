import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";

import { WorkerError } from "../../errors.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts texts at rest (AES-256-GCM) with a key from a file that only its owner can read. */
export class SecretBox {
  readonly #key: Buffer;

  private constructor(key: Buffer) {
    this.#key = key;
  }

  /** Reads the key file, or makes one (mode 0600). Throws a WorkerError (DATABASE_UNUSABLE) when it is damaged. */
  static async open(path: string): Promise<SecretBox> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      const file = await open(path, "wx", 0o600);
      try {
        await file.writeFile(randomBytes(KEY_BYTES).toString("base64"));
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (thrown) {
      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST")) throw thrown;
      await chmod(path, 0o600);
    }
    const key = Buffer.from(await readFile(path, "utf8"), "base64");
    if (key.length !== KEY_BYTES) {
      throw new WorkerError("DATABASE_UNUSABLE", `The key file ${path} is damaged`, {
        hint: "Restore it from a backup; without it the secrets in blocks cannot be read.",
      });
    }
    return new SecretBox(key);
  }

  /** Returns base64 text. */
  encrypt(text: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
  }

  /** Throws when the text was not made with this key. */
  decrypt(text: string): string {
    const bytes = Buffer.from(text, "base64");
    const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return `${decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES), undefined, "utf8")}${decipher.final("utf8")}`;
  }
}
