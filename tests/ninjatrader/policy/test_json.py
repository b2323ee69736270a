"""The C# reader of JSON: each kind of value, what it refuses and where, and members by name."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using RLTrader;

public static class Show
{
    // Each line is a JSON text of a text, which is read, and of the names that are asked for.
    public static void Main(string[] args)
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        foreach (string line in File.ReadAllLines(args[0], Encoding.UTF8))
        {
            try
            {
                List<object> asked = (List<object>)Json.Parse(line);
                object value = Json.Parse((string)asked[0]);
                Console.WriteLine(asked.Count == 1 ? Told(value) : Asked(value, (string)asked[1]));
            }
            catch (BundleException error) { Console.WriteLine("! " + error.Message); }
        }
    }

    private static string Asked(object value, string kind)
    {
        switch (kind)
        {
            case "whole": return Json.Whole(value, "a").ToString(CultureInfo.InvariantCulture);
            case "number": return Told(Json.Number(value, "a"));
            case "text": return Told(Json.Text(value, "a"));
            case "texts": return string.Join("+", Json.Texts(value, "a"));
            case "flags": return string.Join("+", Json.Flags(value, "a"));
            case "numbers": return string.Join("+", Json.Numbers(value, "a").Select(x => Told(x)));
            case "has": return Json.Has(value, "a").ToString();
            default: return Told(Json.Get(value, "a"));
        }
    }

    private static string Told(object value)
    {
        if (value == null) return "nothing";
        if (value is bool) return (bool)value ? "yes" : "no";
        if (value is double) return ((double)value).ToString("G17", CultureInfo.InvariantCulture);
        string text = value as string;
        if (text != null) return "'" + string.Join(",", text.Select(c => ((int)c).ToString())) + "'";
        List<object> items = value as List<object>;
        if (items != null) return "[" + string.Join(" ", items.Select(Told)) + "]";
        return "{" + string.Join(" ", ((Dictionary<string, object>)value).Select(
            x => x.Key + ":" + Told(x.Value))) + "}";
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("json"), PROGRAM)


def told(program: Path, folder: Path, asked: list[list[str]]) -> list[str]:
    path = folder / "asked.txt"
    path.write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")
    done = subprocess.run(["mono", str(program), str(path)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def codes(text: str) -> str:
    return "'" + ",".join(str(ord(c)) for c in text) + "'"


READ = {
    " true ": "yes",
    "false": "no",
    "null": "nothing",
    "-12.5e-1": "-1.25",
    "0": "0",
    "1E+3": "1000",
    "12345678901": "12345678901",
    '""': "''",
    r'"\n\r\t\b\f\"\\\/"': codes('\n\r\t\b\f"\\/'),
    r'"\u0041\u00e9b\u65E5"': codes("A\u00e9b\u65e5"),
    '"\u00e9 \u65e5"': codes("\u00e9 \u65e5"),
    "[]": "[]",
    '[1, [2], {}, "x" ,null]': "[1 [2] {} '120' nothing]",
    "{}": "{}",
    '{"b": 1 , "a":{"c":[true,false]}}': "{b:1 a:{c:[yes no]}}",
    "[" * 64 + "]" * 64: "[" * 64 + "]" * 64,
    "[" + "[]," * 99 + "[]]": "[" + "[] " * 99 + "[]]",  # beside each other, not within
}
COPY = "copy the file again"
REFUSED = {
    "": "0: it ends too soon",
    "  ": "2: it ends too soon",
    "[1,": "3: it ends too soon",
    "tr": "0: no value",
    "1 2": "2: something follows the value",
    "[1 2]": "3: no ]",
    "[1,]": "3: no value",
    '{"a" 1}': "5: no :",
    '{"a":1': "6: no }",
    '{"a":1,}': '7: no "',
    "{a:1}": '1: no "',
    '"abc': '4: no "',
    '"ab\\': '4: no "',
    r'"\u12"': '3: no "',
    r'"\u12': '3: no "',
    r'"\u12x4"': "3: no character code",
    "1e999": "5: no value",
    "-1e999": "6: no value",
    "NaN": "0: no value",
    "1.2.3": "5: no value",
    "1,5": "1: something follows the value",
    "+1": "2: no value",
    ".5": "2: no value",
    "5.": "2: no value",
    "01": "2: no value",
    "-": "1: no value",
    "1e": "2: no value",
    "1e1.5": "5: no value",
    "\u00a01": "0: no value",
    r'"\x41"': "3: no character is written so",
    r'"\u 41x"': "3: no character code",
    r'"\u-041"': "3: no character code",
    '{"a": 1, "b": {"a": 2}, "a": 3}': '28: "a" is there twice',
    "[" * 65: "64: more than 64 brackets within brackets",
    '{"a":' * 65: "320: more than 64 brackets within brackets",
}


def test_values_are_read_as_what_they_are(program: Path, tmp_path: Path) -> None:
    found = told(program, tmp_path, [[text] for text in READ])
    assert dict(zip(READ, found, strict=True)) == READ


def test_what_is_no_value_is_refused_at_its_place(program: Path, tmp_path: Path) -> None:
    found = told(program, tmp_path, [[text] for text in REFUSED])
    wanted = {text: f"! JSON at character {why}; {COPY}" for text, why in REFUSED.items()}
    assert dict(zip(REFUSED, found, strict=True)) == wanted


KIND = '! "a" is of another kind than expected; export the policy anew'
MISSED = '! no "a" where one is needed; export the policy anew'
WHOLE = '! "a" is not a whole number; export the policy anew'
MEMBERS = [
    ('{"a": 2147483647}', "whole", "2147483647"),
    ('{"a": -2147483647}', "whole", "-2147483647"),
    ('{"a": 2147483648}', "whole", WHOLE),
    ('{"a": -2147483648}', "whole", WHOLE),
    ('{"a": 1.5}', "whole", WHOLE),
    ('{"a": "1"}', "whole", KIND),
    ('{"a": 1.5}', "number", "1.5"),
    ('{"a": true}', "number", KIND),
    ('{"a": null}', "number", KIND),
    ('{"b": 1}', "number", MISSED),
    ("[1]", "number", MISSED),
    ('{"a": "x"}', "text", "'120'"),
    ('{"a": null}', "text", KIND),
    ('{"a": ["x", "yz"]}', "texts", "x+yz"),
    ('{"a": ["x", 1]}', "texts", KIND),
    ('{"a": [true, false, true]}', "flags", "True+False+True"),
    ('{"a": [true, 0]}', "flags", KIND),
    ('{"a": [1, 0.5, -2]}', "numbers", "1+0.5+-2"),
    ('{"a": [1, "2"]}', "numbers", KIND),
    ('{"a": 1}', "numbers", KIND),
    ('{"a": null}', "has", "True"),
    ('{"b": 1}', "has", "False"),
    ("[]", "has", '! "the owner of a" is of another kind than expected; export the policy anew'),
    ('{"a": null}', "", "nothing"),
]


def test_members_are_of_the_kind_that_is_asked_for(program: Path, tmp_path: Path) -> None:
    found = told(program, tmp_path, [[text, kind] for text, kind, _ in MEMBERS])
    assert [(*one[:2], said) for one, said in zip(MEMBERS, found, strict=True)] == MEMBERS
