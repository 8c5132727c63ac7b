package onnxruntime

import (
	"github.com/ebitengine/purego"

	greenlight "github.com/greenlight-dev/greenlight"
)

// function is a position in the OrtApi structure of onnxruntime_c_api.h. A
// released position never changes; new functions are added at the end.
type function int

const (
	getErrorCode                        function = 1
	getErrorMessage                     function = 2
	createEnv                           function = 3
	createSession                       function = 7
	run                                 function = 9
	createSessionOptions                function = 10
	setIntraOpNumThreads                function = 24
	setInterOpNumThreads                function = 25
	createRunOptions                    function = 39
	runOptionsSetTerminate              function = 46
	runOptionsUnsetTerminate            function = 47
	createTensorAsOrtValue              function = 48
	createTensorWithDataAsOrtValue      function = 49
	getTensorMutableData                function = 51
	getStringTensorDataLength           function = 53
	getStringTensorContent              function = 54
	getTensorElementType                function = 60
	getDimensionsCount                  function = 61
	getDimensions                       function = 62
	getTensorTypeAndShape               function = 65
	getValueType                        function = 67
	createCPUMemoryInfo                 function = 69
	allocatorAlloc                      function = 75
	allocatorFree                       function = 76
	getAllocatorWithDefaultOptions      function = 78
	getValue                            function = 80
	getValueCount                       function = 81
	createValue                         function = 82
	releaseEnv                          function = 92
	releaseStatus                       function = 93
	releaseMemoryInfo                   function = 94
	releaseSession                      function = 95
	releaseValue                        function = 96
	releaseRunOptions                   function = 97
	releaseTensorTypeAndShapeInfo       function = 99
	releaseSessionOptions               function = 100
	getResizedStringTensorElementBuffer function = 252

	functions = getResizedStringTensorElementBuffer + 1
)

// apiVersion is the oldest version of the structure with all of them, that of
// ONNX Runtime 1.15; later libraries still answer it.
const apiVersion = 15

// Constants of onnxruntime_c_api.h.
const (
	loggingLevelFatal = 4 // what goes wrong comes back as a status too
	deviceAllocator   = 0
	memTypeDefault    = 0

	typeTensor   = 1
	typeSequence = 2
	typeMap      = 3
)

// handle points to one of the library's objects; 0 is none.
type handle = uintptr

// library is an opened libonnxruntime.
type library struct {
	version   string
	functions *[functions]uintptr
}

// open loads a shared library, which stays loaded until the process ends:
// ONNX Runtime does not support being unloaded.
func open(path string) (*library, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "cannot open ONNX Runtime's library: %w", err)
	}
	symbol, err := purego.Dlsym(lib, "OrtGetApiBase")
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%s is not ONNX Runtime's library: %w", path, err)
	}
	var getAPIBase func() *struct{ getAPI, getVersionString uintptr }
	purego.RegisterFunc(&getAPIBase, symbol)
	base := getAPIBase()

	var getAPI func(version uint32) *[functions]uintptr
	var getVersionString func() string
	purego.RegisterFunc(&getAPI, base.getAPI)
	purego.RegisterFunc(&getVersionString, base.getVersionString)
	l := &library{version: getVersionString(), functions: getAPI(apiVersion)}
	if l.functions == nil {
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, "%s is ONNX Runtime %s; 1.15 or newer is needed", path, l.version)
	}
	return l, nil
}

// call runs a function that returns a status and makes an error of it. Go
// memory whose address is an argument stays in place until it returns.
//
//go:uintptrescapes
func (l *library) call(f function, args ...uintptr) error {
	status, _, _ := purego.SyscallN(l.functions[f], args...)
	if status == 0 {
		return nil
	}
	return l.takeStatus(status)
}

// release runs one of the Release functions, which return nothing and take 0
// for nothing to do.
func (l *library) release(f function, h handle) {
	if h != 0 {
		purego.SyscallN(l.functions[f], h)
	}
}
