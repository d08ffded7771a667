"""The three TLS contexts of the process, and their exchange while it runs."""

from __future__ import annotations

import asyncio
import ssl

from carrel.dataplane.options import Options
from carrel.dataplane.tls import BadTlsError, TlsFiles, client_context, reload_chain, server_context


class Certificates:
    """Contexts for browsers, for the REST API and for servers behind; raises BadTlsError."""

    def __init__(self, options: Options) -> None:
        self._options = options
        #: None is plain HTTP.
        self.public = _context(options.public_tls)
        self.api = _context(options.api_tls)
        self.client = client_context(options.client_tls, insecure=options.insecure, authorities=False)

    async def complete(self) -> None:
        """Read the system's authorities, in a thread: hundreds of files that few targets need at once.

        Until then a target whose certificate only they can vouch for is refused.
        """
        if self._options.client_tls.ca is None and not self._options.insecure:
            await asyncio.to_thread(self.client.load_default_certs, ssl.Purpose.SERVER_AUTH)

    def reload(self) -> str:
        """Read every file again, for connections to come; return why that failed, empty when it did not.

        What is not usable is not used.
        """
        sides = ((self.public, self._options.public_tls), (self.api, self._options.api_tls))
        try:
            for context, files in sides:
                if context is not None and files is not None:
                    reload_chain(context, files)
            self.client = client_context(self._options.client_tls, insecure=self._options.insecure)
        except BadTlsError as error:
            return str(error)
        return ""


def _context(files: TlsFiles | None) -> ssl.SSLContext | None:
    return None if files is None else server_context(files)
