"""Small changes of C# text: comments and strings are passed over, a change is a token or statement."""

from __future__ import annotations

from parity.mutants.csharp.operators import changes_of_csharp

SOURCE = """class A
{
    // a < b && true
    const string Text = "x < 1 && true"; /* 2 > 1 */
    int F(List<int> some, double x)
    {
        Note("\u00df", x);
        x = Math.Min(x, 2.5);
        return x >= 1f && !done ? 0 : some.Count(y => y == '<');
    }
}
"""


def test_changes_of_tokens_and_statements() -> None:
    made = [(one.line, one.old, one.new) for one in changes_of_csharp("A.cs", SOURCE.encode())]
    assert made == [
        (5, "<", "<="),
        (5, ">", ">="),
        (7, 'Note("\u00df", x);', ";"),
        (8, "x = Math.Min(x, 2.5);", ";"),
        (8, "Min", "Max"),
        (8, "2.5", "5.0"),
        (9, ">=", ">"),
        (9, "1", "2"),
        (9, "&&", "||"),
        (9, "0", "1"),
        (9, "==", "!="),
    ]


def test_a_change_is_made_where_it_was_seen() -> None:
    source = SOURCE.encode()
    for change in changes_of_csharp("A.cs", source):
        assert source[change.start : change.end].decode() == change.old
        changed = change.apply(source).decode()
        assert len(changed.encode()) - len(source) == len(change.new.encode()) - len(
            change.old.encode()
        )
