import CFFmpeg
import CMedia
