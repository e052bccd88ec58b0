"""What the lab wrote and was told is durable: what must be there at the end, whatever happened in between.

That is so for what the centre has read before a database is lost; a story waits for it."""


class Books:
    def __init__(self):
        self.bodies = {}  # (owner, id) → the bytes of the body that must be there

    def note(self, owner, records):
        """Acknowledged: {id, body}, bodies as the text that was sent."""
        for r in records:
            self.bodies[owner, r["id"]] = r["body"]

    def of(self, owner):
        return {id_: body for (o, id_), body in self.bodies.items() if o == owner}
