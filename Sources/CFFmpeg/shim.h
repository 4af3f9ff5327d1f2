#include <errno.h>
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

// Macros that Swift does not import.
static const int ff_AVERROR_EOF = AVERROR_EOF;
static const int ff_AVERROR_EAGAIN = AVERROR(EAGAIN);
static const int ff_AVERROR_ENOMEM = AVERROR(ENOMEM);
static const int ff_AVERROR_INVALIDDATA = AVERROR_INVALIDDATA;
static const int ff_AVERROR_DECODER_NOT_FOUND = AVERROR_DECODER_NOT_FOUND;
static const int ff_AVERROR_ENCODER_NOT_FOUND = AVERROR_ENCODER_NOT_FOUND;
static const int ff_AVERROR_PATCHWELCOME = AVERROR_PATCHWELCOME;
static const int ff_AVERROR_EXIT = AVERROR_EXIT;
static const int ff_AVERROR_PROTOCOL_NOT_FOUND = AVERROR_PROTOCOL_NOT_FOUND;
static const int ff_AVERROR_HTTP_BAD_REQUEST = AVERROR_HTTP_BAD_REQUEST;
static const int ff_AVERROR_HTTP_UNAUTHORIZED = AVERROR_HTTP_UNAUTHORIZED;
static const int ff_AVERROR_HTTP_FORBIDDEN = AVERROR_HTTP_FORBIDDEN;
static const int ff_AVERROR_HTTP_NOT_FOUND = AVERROR_HTTP_NOT_FOUND;
static const int ff_AVERROR_HTTP_OTHER_4XX = AVERROR_HTTP_OTHER_4XX;
static const int ff_AVERROR_HTTP_SERVER_ERROR = AVERROR_HTTP_SERVER_ERROR;
static const int64_t ff_AV_NOPTS_VALUE = AV_NOPTS_VALUE;
