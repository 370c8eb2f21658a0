// SPDX-License-Identifier: MIT
#include "transport.h"

const struct transport *const transports[] = {
	&transport_ring,
	&transport_channel,
	&transport_channel_map,
	&transport_memfd,
	&transport_vmsplice,
	&transport_pipe,
	&transport_socket,
#ifdef WITH_ICEORYX
	&transport_iceoryx,
#endif
	NULL
};
