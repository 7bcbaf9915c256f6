"""A client of `vinci lsp` in three profiles: as VS Code, as Neovim, and with no abilities at all."""

import asyncio
import os
import pathlib
import re

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities
from pytest_lsp.client import make_test_lsp_client

KERNEL = pathlib.Path(__file__).parent.parent / "neovim" / "kernel.vn"


def profile(name):
    """The capabilities of a client."""
    if name == "vscode":
        capabilities = client_capabilities("visual-studio-code")
        capabilities.text_document.diagnostic = types.DiagnosticClientCapabilities(dynamic_registration=True)
        capabilities.workspace.diagnostics = types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
        capabilities.general.position_encodings = ["utf-16"]
        return capabilities
    if name == "neovim":
        capabilities = client_capabilities("neovim")
        capabilities.text_document.diagnostic = None
        capabilities.general = capabilities.general or types.GeneralClientCapabilities()
        capabilities.general.position_encodings = ["utf-8", "utf-16"]
        return capabilities
    return types.ClientCapabilities()


def publish(client, params):
    """Keeps the version too, which the client of pytest-lsp does not."""
    client.published[params.uri] = params


def make_client():
    client = make_test_lsp_client()
    client.published = {}
    client.protocol.fm.features["textDocument/publishDiagnostics"] = lambda params: publish(client, params)
    return client


@pytest_lsp.fixture(
    params=["vscode", "neovim", "minimal"],
    config=ClientServerConfig(
        server_command=[os.environ.get("VINCI", "vinci"), "lsp"], client_factory=make_client
    ),
)
async def client(request, lsp_client: LanguageClient, tmp_path_factory):
    """A session with an empty folder as its root."""
    folder = tmp_path_factory.mktemp("work")
    lsp_client.profile = request.param
    lsp_client.folder = folder
    lsp_client.refreshed = []

    @lsp_client.feature("workspace/codeLens/refresh")
    def lenses(*_):
        lsp_client.refreshed.append("lenses")

    @lsp_client.feature("workspace/inlayHint/refresh")
    def hints(*_):
        lsp_client.refreshed.append("hints")

    @lsp_client.feature("client/registerCapability")
    def register(*_):
        return None

    lsp_client.applied = []
    lsp_client.answer = None
    features = lsp_client.protocol.fm.features

    def apply(params):
        lsp_client.applied.append(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)

    features["workspace/applyEdit"] = apply
    features["window/showMessageRequest"] = lambda params: lsp_client.answer
    lsp_client.shown = []

    def show(params):
        lsp_client.shown.append(params.uri)
        return types.ShowDocumentResult(success=True)

    features["window/showDocument"] = show

    answer = await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=profile(request.param),
            workspace_folders=[types.WorkspaceFolder(uri=folder.as_uri(), name="work")],
        )
    )
    lsp_client.abilities = answer.capabilities
    yield
    await lsp_client.shutdown_session()


class Text:
    """A document that the client has open."""

    def __init__(self, client, name, text, language="vinci"):
        self.client, self.text, self.version = client, text, 1
        path = client.folder / name
        path.write_text(text)
        self.uri = path.as_uri()
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                text_document=types.TextDocumentItem(uri=self.uri, language_id=language, version=1, text=text)
            )
        )

    @property
    def id(self):
        return types.TextDocumentIdentifier(uri=self.uri)

    def units(self, text):
        """The length of a text in units of a column."""
        eight = self.client.abilities.position_encoding == "utf-8"
        return len(text.encode()) if eight else len(text.encode("utf-16-le")) // 2

    def at(self, byte):
        before = self.text[:byte]
        start = before.rfind("\n") + 1
        return types.Position(line=before.count("\n"), character=self.units(before[start:]))

    def find(self, word, behind=0):
        return self.at(self.text.index(word) + behind)

    def change(self, old, new):
        """Replaces the first `old`, as a keystroke would."""
        byte = self.text.index(old)
        place = types.Range(start=self.at(byte), end=self.at(byte + len(old)))
        self.text = self.text.replace(old, new, 1)
        self.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                text_document=types.VersionedTextDocumentIdentifier(uri=self.uri, version=self.version),
                content_changes=[types.TextDocumentContentChangePartial(range=place, text=new)],
            )
        )

    def apply(self, edits):
        """The text after edits of the server."""
        lines = self.text.split("\n")
        for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
            start, end = edit.range.start, edit.range.end
            text = "\n".join(lines)
            text = text[: self.byte(lines, start)] + edit.new_text + text[self.byte(lines, end) :]
            lines = text.split("\n")
        return "\n".join(lines)

    def byte(self, lines, position):
        start = sum(len(line) + 1 for line in lines[: position.line])
        line = lines[position.line] if position.line < len(lines) else ""
        count = 0
        while self.units(line[:count]) < position.character and count < len(line):
            count += 1
        return start + count

    async def diagnostics(self):
        """What is wrong, as this client hears of it."""
        if self.client.abilities.diagnostic_provider:
            report = await self.client.text_document_diagnostic_async(
                types.DocumentDiagnosticParams(text_document=self.id)
            )
            return list(report.items)
        for _ in range(500):
            note = self.client.published.get(self.uri)
            if note and note.version == self.version:
                return list(note.diagnostics)
            await asyncio.sleep(0.01)
        raise TimeoutError("no diagnostics")

    async def lens(self, title):
        """The first lens whose title matches, as soon as there is one."""
        for _ in range(1500):
            lenses = await self.client.text_document_code_lens_async(types.CodeLensParams(text_document=self.id))
            for lens in lenses:
                if re.search(title, lens.command.title):
                    return lens
            await asyncio.sleep(0.02)
        raise TimeoutError(f"no lens {title}")


@pytest.fixture
def opened(client):
    """Opens a text; the kernel of the Neovim session if none is given."""
    return lambda name="kernel.vn", text=None, language="vinci": Text(client, name, text or KERNEL.read_text(), language)
