import { parseJson } from "../../../src/json/parse.ts";

import type { JsonObject } from "../../../src/json/value.ts";

/** One question to both sides; `fn` says which function, the other fields are its arguments (oracle.py). */
export type TemplatingCase = JsonObject & { readonly fn: string };

// What all cases draw from.

export const VALUES = parseJson(`{
  "a": 5, "name": "bob", "e": "", "none": null, "t": true, "fa": false, "f": 1.0, "half": 0.5, "small": 1e-5, "e15": 1e15,
  "e16": 1e16, "e22": 1.5e22, "tiny": 5e-324, "huge": 1.7976931348623157e308, "inf": 1e999, "negzero": -0.0, "izero": -0, "zero": 0,
  "p53": 9007199254740993, "p53f": 9007199254740993.0, "big": 123456789012345678901234567890, "neg": -7, "near": 100000.99999999999999999,
  "ünï": "uni", "build-image": {"image": "r/i:t", "tag": "t1"}, "$x": "dollar", "a$b": "inner", "prefect.blocks": "no", "prefect": {"blocks": "b", "variables": 1},
  "obj": {"k": [{"x": "z"}, {"x": "y"}], "1": "digit", "nl": "a\\nb", "": "empty", "a.b": "dot", "nested": {"d": {"e": [1, [2, [3]]]}}, "value": 1},
  "lst": ["zero", 1, null, true, 1.0, {"q": "it's"}, [], {}], "text": "héllo 😀 wörld", "quote": "it's", "both": "it's \\"so\\"", "dq": "say \\"x\\"",
  "ctl": "\\u0000\\u001f\\u007f\\u0085\\u00a0\\u200b\\u2028\\ud83d\\ude00\\ud800\\\\\\r\\t", "inertref": "{{ inert }} {{ $INERT }}", "ctx": {"foo": "bar", "flow": {"name": "f"}},
  "numkeys": {"b": 1, "10": 2, "2": {"z": 1, "0": 2}, "a": 3}, "__proto__": {"polluted": true}, "constructor": {"x": 1}, "٣": 1, "_": "under", "-": "dash", ".": 1
}`) as JsonObject;

export const ENV: JsonObject = {
  HOME: "/home/u",
  NUM: "5",
  EMPTY: "",
  ÜNI: "ü",
  "A.B": "dotted",
  X: "it's {{ inert }}",
  __proto: "p",
};

export const BLOCKS = parseJson(`{
  "secret/str": {"value": "s3cret"}, "secret/num": {"value": 42}, "secret/f": {"value": 1.0}, "secret/nil": {"value": null}, "secret/t": {"value": true},
  "secret/obj": {"value": {"key": {"nested-key": "nv"}, "values": [1], "value": "inner", "list": [{"lk": "lv"}, 1.0, 2]}},
  "secret/lst": {"value": ["a", "b"]}, "secret/lst[0]": {"value": "odd name"}, "secret/var": {"value": "x {{ prefect.variables.str }} y"}, "secret/empty": {"value": ""},
  "custom/multi": {"value": 1, "other": {"deep": ["x", 1.50]}, "user": "u"}, "custom/notvalue": {"valued": 1}, "custom/none": {}, "custom/values": {"values": {"a": 1}},
  "aws-credentials/prod": {"aws_access_key_id": "AK", "aws_secret_access_key": "SK", "region_name": null, "aws_client_parameters": {"use_ssl": true, "verify": true}},
  "0b33f5a2-6bd2-4b04-8f0b-0d0f1d6d0b1c": {"value": {"whole": 1, "2": 0, "1": 9}}, "id-plain": {"user": "u", "n": 1e16}
}`) as JsonObject;

export const VARIABLES = parseJson(`{
  "str": "text", "num": 5, "f": 1.0, "big": 9007199254740993, "nil": null, "t": false, "obj": {"a": [1, {"b": "it's"}]}, "lst": [1, "x", null], "empty": "",
  "obj.a": "dotted name", "ref": "{{ prefect.variables.inert }}", "x-y_z": "dashes"
}`) as JsonObject;
