import { describe, it } from "vitest";

import { FrameDecoder } from "./log-frames.ts";

function frame(stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

describe("FrameDecoder", () => {
  it("gives each frame's payload and stream, whatever the pieces it comes in", ({ expect }) => {
    const frames = [
      frame(1, Buffer.from("out ü\n")),
      frame(2, Buffer.from([0, 0xff, 10])),
      frame(1, Buffer.alloc(0)),
    ];
    const bytes = Buffer.concat(frames);
    for (const size of [1, 2, 3, 7, 8, 9, bytes.length]) {
      const seen: [string, string][] = [];
      const decoder = new FrameDecoder((payload, stream) => seen.push([payload.toString("hex"), stream]));
      for (let at = 0; at < bytes.length; at += size) decoder.write(bytes.subarray(at, at + size));
      expect(seen).toEqual([
        [Buffer.from("out ü\n").toString("hex"), "stdout"],
        ["00ff0a", "stderr"],
        ["", "stdout"],
      ]);
    }
  });
});
