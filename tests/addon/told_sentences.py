"""Reads from the sources which English sentences reach people: of errors, with their remedies, and of warnings.

What stands in a sentence for a value becomes {}; words that are chosen between are followed, also where a function is
given the sentence by its callers in the same file.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

DEPTH = 6  # how far names are followed
UNKNOWN = "{?}"  # where a sentence, or a part of it, comes from elsewhere


class Source:
    """One file of Python."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text("utf-8"))
        self.parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def sentences(self) -> Iterator[str]:
        """Of errors and of their remedies, as far as the file itself tells them."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and _called(node) == "Motion324Error":
                named = {each.arg: each.value for each in node.keywords}
                told = [*node.args[1:3], *(named[name] for name in ("sentence", "hint") if name in named)]
                for text in told:
                    yield from self._texts(text, self._function(node), 0)

    def warnings(self) -> Iterator[str]:
        """Of warnings, likewise."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Dict):
                named = {getattr(key, "value", None): value for key, value in zip(node.keys, node.values, strict=True)}
                if {"code", "sentence"} <= named.keys():
                    yield from self._texts(named["sentence"], self._function(node), 0)

    def _function(self, node: ast.AST) -> ast.FunctionDef | None:
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.FunctionDef):
                return node
        return None

    def _texts(self, node: ast.expr, function: ast.FunctionDef | None, depth: int) -> list[str]:
        """All that the expression may be."""
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else [UNKNOWN]
        if isinstance(node, ast.JoinedStr):
            parts = [self._part(each, function, depth) for each in node.values]
            return ["".join(each) for each in itertools.product(*parts)]
        if isinstance(node, ast.IfExp):
            return [text for each in (node.body, node.orelse) for text in self._texts(each, function, depth)]
        if isinstance(node, ast.BoolOp):
            return [text for each in node.values for text in self._texts(each, function, depth)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            sides = [self._texts(each, function, depth) for each in (node.left, node.right)]
            return ["".join(each) for each in itertools.product(*sides)]
        if isinstance(node, ast.Name) and depth < DEPTH:
            found = self._values(node.id, function)
            return [text for value, where in found for text in self._texts(value, where, depth + 1)] or [UNKNOWN]
        return [UNKNOWN]

    def _part(self, node: ast.expr, function: ast.FunctionDef | None, depth: int) -> list[str]:
        """Words, or {} where no words are known."""
        if isinstance(node, ast.Constant):
            return [str(node.value)]
        assert isinstance(node, ast.FormattedValue)
        inner = node.value
        chosen = isinstance(inner, ast.IfExp)
        if isinstance(inner, ast.Name) and function is not None:
            own = _assigned(inner.id, function)
            chosen = bool(own) and all(isinstance(each, ast.Constant | ast.JoinedStr | ast.IfExp) for each in own)
        return [text.replace(UNKNOWN, "{}") for text in self._texts(inner, function, depth + 1)] if chosen else ["{}"]

    def _values(self, name: str, function: ast.FunctionDef | None) -> list[tuple[ast.expr, ast.FunctionDef | None]]:
        """What the name is given: in the function, by its callers, or in the module."""
        if function is not None:
            own = _assigned(name, function)
            if own:
                return [(value, function) for value in own]
            taken = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
            if name in taken:
                return list(self._given(name, taken, function))
        return [
            (node.value, None)
            for node in self.tree.body
            if isinstance(node, ast.Assign) and name in [getattr(each, "id", "") for each in node.targets]
        ]

    def _given(
        self, name: str, taken: list[str], function: ast.FunctionDef
    ) -> Iterator[tuple[ast.expr, ast.FunctionDef | None]]:
        place = taken.index(name) - (taken[0] == "self")
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and _called(node) == function.name:
                named = {each.arg: each.value for each in node.keywords}
                value = named.get(name) or (node.args[place] if place < len(node.args) else None)
                if value is not None:
                    yield value, self._function(node)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _assigned(name: str, function: ast.FunctionDef) -> list[ast.expr]:
    found = []
    for node in ast.walk(function):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id == name:
                found.append(node.value)
            elif isinstance(target, ast.Tuple):
                for place, each in enumerate(target.elts):
                    if getattr(each, "id", "") == name:
                        found.append(node.value.elts[place] if isinstance(node.value, ast.Tuple) else node.value)
    return found


def words_of(path: Path) -> Iterator[str]:
    """All strings of the file, with {} for values."""
    inside: set[ast.AST] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            inside.update(node.values)
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.value
