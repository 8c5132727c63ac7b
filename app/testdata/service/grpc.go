package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// waiting counts the calls of Wait under way.
var waiting atomic.Int64

// service is a gRPC service without generated code; all its messages are
// google.protobuf.StringValue.
var service = grpc.ServiceDesc{
	ServiceName: "test.Service",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Say", Handler: say}, {MethodName: "Wait", Handler: wait}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Count", ServerStreams: true, Handler: count},
		{StreamName: "Collect", ClientStreams: true, Handler: collect},
		{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: chat},
	},
}

// inference is the Open Inference Protocol as far as a test of the way there
// needs it: the first field of a request and of an answer is the model's name.
var inference = grpc.ServiceDesc{
	ServiceName: "inference.GRPCInferenceService",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "ModelInfer", Handler: infer}},
}

func infer(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var in wrapperspb.StringValue
	if err := decode(&in); err != nil {
		return nil, err
	}
	if len(in.ProtoReflect().GetUnknown()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "no inputs")
	}
	return &in, nil
}

const mostMessage = 64 << 20

func serveGRPC(ctx context.Context, ln net.Listener) error {
	s := grpc.NewServer(grpc.MaxRecvMsgSize(mostMessage), grpc.MaxSendMsgSize(mostMessage))
	s.RegisterService(&service, struct{}{})
	s.RegisterService(&inference, struct{}{})
	go func() {
		<-ctx.Done()
		s.GracefulStop()
	}()
	return s.Serve(ln)
}

// say says back what it hears; "fail" and "waiting" are answered otherwise.
func say(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var in wrapperspb.StringValue
	if err := decode(&in); err != nil {
		return nil, err
	}
	given, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-header", fmt.Sprint(given.Get("x-asked")), "x-data-bin", string([]byte{0, 1, 255})))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-trailer", "t"))
	switch in.Value {
	case "fail":
		return nil, status.Error(codes.FailedPrecondition, "as asked: 100 % ü")
	case "waiting":
		return wrapperspb.String(fmt.Sprint(waiting.Load())), nil
	}
	return wrapperspb.String(os.Getenv("VERSION") + " " + in.Value), nil
}

// wait answers only when the client has given up.
func wait(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var in wrapperspb.StringValue
	if err := decode(&in); err != nil {
		return nil, err
	}
	waiting.Add(1)
	defer waiting.Add(-1)
	<-ctx.Done()
	return nil, ctx.Err()
}

// count sends as many messages as the text is long.
func count(_ any, s grpc.ServerStream) error {
	var in wrapperspb.StringValue
	if err := s.RecvMsg(&in); err != nil {
		return err
	}
	for i := range in.Value {
		if err := s.SendMsg(wrapperspb.String(fmt.Sprint(i))); err != nil {
			return err
		}
	}
	s.SetTrailer(metadata.Pairs("x-trailer", "counted"))
	return nil
}

// collect answers with all that it heard.
func collect(_ any, s grpc.ServerStream) error {
	all := ""
	for {
		var in wrapperspb.StringValue
		if err := s.RecvMsg(&in); err == io.EOF {
			return s.SendMsg(wrapperspb.String(all))
		} else if err != nil {
			return err
		}
		all += in.Value
	}
}

// chat answers each message.
func chat(_ any, s grpc.ServerStream) error {
	for {
		var in wrapperspb.StringValue
		if err := s.RecvMsg(&in); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := s.SendMsg(wrapperspb.String(os.Getenv("VERSION") + " " + in.Value)); err != nil {
			return err
		}
	}
}
