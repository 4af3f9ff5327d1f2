"""Serves the H.264 video of an MP4 file over RTSP on loopback, again and again, in real time.

Usage: /usr/bin/python3 rtsp_server.py CLIP.mp4 [PORT]

The system chooses the port where none is given; the address stands in the first line of standard
output. The video is not encoded again: its access units are sent as they are. Every client gets
the clip from its beginning. The server ends when its standard input does, so that it cannot
outlive the test that started it, and after ten minutes in any case.
"""

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def read_units(path):
    """Returns the access units of a clip as (bytes, dts, pts, is_key) in ns, and its duration."""
    pipeline = Gst.parse_launch(
        "filesrc name=file ! qtdemux ! h264parse config-interval=-1 "
        "! video/x-h264,stream-format=byte-stream,alignment=au ! fakesink name=end sync=false"
    )
    pipeline.get_by_name("file").set_property("location", path)
    units = []

    def take(pad, info):
        buffer = info.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        is_key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        units.append((data, buffer.dts, buffer.pts, is_key, buffer.duration))
        return Gst.PadProbeReturn.OK

    end = pipeline.get_by_name("end").get_static_pad("sink")
    end.add_probe(Gst.PadProbeType.BUFFER, take)
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(
        20 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type == Gst.MessageType.ERROR or not units:
        sys.exit(f"{path}: no H.264 video could be read")
    first = units[0][1]
    unit_time = units[0][4]
    units = [(data, dts - first, pts - first, key) for data, dts, pts, key, _ in units]
    return units, unit_time * len(units)


class Feed:
    """Pushes the units of the clip into one client's appsrc at the pace of their times."""

    def __init__(self, source, units, duration):
        self.source = source
        self.units = units
        self.duration = duration
        self.position = 0
        self.start = GLib.get_monotonic_time()
        self.is_open = True
        self.tick()

    def close(self):
        self.is_open = False

    def tick(self):
        if not self.is_open:
            return False
        now = (GLib.get_monotonic_time() - self.start) * 1000
        while True:
            turn, index = divmod(self.position, len(self.units))
            data, dts, pts, is_key = self.units[index]
            dts += turn * self.duration
            if dts > now:
                GLib.timeout_add(max(1, (dts - now) // 1_000_000), self.tick)
                return False
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.dts = dts
            buffer.pts = pts + turn * self.duration
            if not is_key:
                buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
            if self.source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return False
            self.position += 1


def main():
    Gst.init(None)
    units, duration = read_units(sys.argv[1])
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[2] if len(sys.argv) > 2 else "0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( appsrc name=source is-live=true format=time block=false max-bytes=0 "
        "caps=video/x-h264,stream-format=byte-stream,alignment=au "
        "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
    )

    def configure(_, media):
        source = media.get_element().get_by_name_recurse_up("source")
        feed = Feed(source, units, duration)
        media.connect("unprepared", lambda _: feed.close())

    factory.connect("media-configure", configure)
    server.get_mount_points().add_factory("/clip", factory)
    loop = GLib.MainLoop()
    if server.attach(None) == 0:
        sys.exit("the port cannot be had")
    print(f"rtsp://127.0.0.1:{server.get_bound_port()}/clip", flush=True)

    def wait():
        sys.stdin.read()
        GLib.idle_add(loop.quit)

    threading.Thread(target=wait, daemon=True).start()
    GLib.timeout_add_seconds(600, loop.quit)
    loop.run()


main()
