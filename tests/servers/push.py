"""ntfy, a webhook and a monitor in the shape of healthchecks.io, on loopback: what each got, and its faults."""

from tests.servers.web import Reply, Request, StandIn


class PushServer(StandIn):
    """Takes every POST, as ntfy, a webhook and a monitor do."""

    def answer(self, request: Request) -> Reply:
        return Reply(body="OK") if request.path.startswith("/ping/") else Reply(body={"id": "abc"})

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    @property
    def webhook(self) -> str:
        return f"json://{self.host}/hook"

    @property
    def ntfy(self) -> str:
        return f"ntfy://{self.host}/topic"

    @property
    def ping(self) -> str:
        """Base address of a check."""
        return f"{self.url}/ping/5f0c"

    def titles(self) -> list[str]:
        """The title of each message, to the webhook and to ntfy alike."""
        return [request.json["title"] for request in self.requests if not request.path.startswith("/ping/")]
