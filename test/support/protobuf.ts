/** The fields of a protobuf message, by their numbers (protobuf.dev/programming-guides/encoding). */
export interface Message {
  has(field: number): boolean;
  /** The last one, 0 when absent: varints and 64-bit numbers. */
  number(field: number): bigint;
  /** The last one, empty when absent. */
  bytes(field: number): Buffer;
  /** All of a repeated one. */
  messages(field: number): readonly Message[];
}

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

/** Decodes the wire format; throws for what is none. */
export function decodeMessage(bytes: Uint8Array): Message {
  const fields = fieldsOf(Buffer.from(bytes));
  const buffers = (field: number): Buffer[] =>
    fields.flatMap(({ number, value }) => (number === field && typeof value !== "bigint" ? [value] : []));
  return {
    has: (field) => fields.some(({ number }) => number === field),
    number: (field) =>
      fields
        .flatMap(({ number, value }) => (number === field && typeof value === "bigint" ? [value] : []))
        .at(-1) ?? 0n,
    bytes: (field) => buffers(field).at(-1) ?? Buffer.alloc(0),
    messages: (field) => buffers(field).map((value) => decodeMessage(value)),
  };
}

export function textField(message: Message, field: number): string {
  return message.bytes(field).toString("utf8");
}

function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at);
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  function take(length: number): Buffer {
    if (at + length > bytes.length) throw new Error(`The message ends within a field of ${length} bytes`);
    at += length;
    return bytes.subarray(at - length, at);
  }
  while (at < bytes.length) {
    const key = Number(varint());
    const number = key >> 3;
    const type = key & 7;
    if (type === 0) fields.push({ number, value: varint() });
    else if (type === 1) fields.push({ number, value: take(8).readBigUInt64LE() });
    else if (type === 2) fields.push({ number, value: take(Number(varint())) });
    else if (type === 5) fields.push({ number, value: BigInt(take(4).readUInt32LE()) });
    else throw new Error(`No wire type ${type} is known`);
  }
  return fields;
}
